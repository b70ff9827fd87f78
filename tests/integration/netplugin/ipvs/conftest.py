"""These tests run inside the kernel that has IPVS only: test_ipvs.py, one level up, takes them there."""

from tests.support import ipvs_vm

collect_ignore_glob = [] if ipvs_vm.inside() else ["test_*.py"]
