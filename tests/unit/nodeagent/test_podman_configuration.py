"""From what a machine can do to Podman's configuration."""

import dataclasses
import tomllib

import pytest

from nodeagent.runtime.podman.configuration import Directories, PodmanConfiguration, configure
from nodeagent.runtime.podman.probe import Facts

ORDINARY = Facts(
    podman="/usr/bin/podman",
    crun="/usr/bin/crun",
    runc="/usr/sbin/runc",
    conmon="/usr/bin/conmon",
    conmon_version=(2, 1, 12),
    cgroups="v2",
    may_raise_limits=True,
    nofile_hard=524288,
    nproc_hard=100000,
    pid_max=4194304,
    overlay=True,
)
OWN = Directories("/run/k/podman", "/var/k/storage")


def change(**fields) -> Facts:
    return dataclasses.replace(ORDINARY, **fields)


def tables(made: PodmanConfiguration) -> dict:
    return tomllib.loads(made.files["/run/k/podman/containers.conf"])


def test_an_ordinary_machine_needs_little() -> None:
    made = configure(ORDINARY, Directories("/run/k/podman"))
    read = tables(made)
    assert read["engine"] == {
        "cgroup_manager": "cgroupfs",
        "events_logger": "file",
        "exit_command_delay": 3,
        "runtime": "crun",
    }
    assert "default_ulimits" not in read["containers"]
    assert made.environment == {"CONTAINERS_CONF": "/run/k/podman/containers.conf"}
    assert (made.runtime, made.min_oom_score_adj) == ("/usr/bin/crun", -1000)


@pytest.mark.parametrize(
    ("facts", "runtime"),
    [
        (change(), "crun"),
        (change(cgroups="v1"), "crun"),
        (change(cgroups="hybrid"), "runc"),
        (change(cgroups="hybrid", runc=None), "crun"),
        (change(crun=None), "runc"),
    ],
)
def test_the_runtime(facts: Facts, runtime: str) -> None:
    assert tables(configure(facts, OWN))["engine"]["runtime"] == runtime


def test_limits_that_cannot_be_raised_are_kept_to() -> None:
    made = configure(change(may_raise_limits=False, nofile_hard=20000, nproc_hard=96365, pid_max=32768), OWN)
    assert tables(made)["containers"]["default_ulimits"] == ["nofile=20000:20000", "nproc=32768:32768"]
    assert made.min_oom_score_adj == 0
    unlimited = configure(change(may_raise_limits=False, nofile_hard=-1, nproc_hard=-1), OWN)
    assert "default_ulimits" not in tables(unlimited)["containers"]


def test_an_old_conmon_is_wrapped() -> None:
    made = configure(change(conmon_version=(2, 1, 6)), OWN)
    assert tables(made)["engine"]["conmon_path"] == ["/run/k/podman/conmon"]
    assert made.files["/run/k/podman/conmon"].endswith('exec /usr/bin/conmon "$@"\n')


def test_a_storage_of_our_own() -> None:
    made = configure(ORDINARY, OWN)
    assert tables(made)["engine"]["tmp_dir"] == "/run/k/podman/libpod"
    assert tomllib.loads(made.files["/run/k/podman/storage.conf"])["storage"] == {
        "driver": "overlay",
        "graphroot": "/var/k/storage",
        "runroot": "/run/k/podman/storage",
    }
    assert made.environment["CONTAINERS_STORAGE_CONF"] == "/run/k/podman/storage.conf"
    without = configure(change(overlay=False), OWN)
    assert tomllib.loads(without.files["/run/k/podman/storage.conf"])["storage"]["driver"] == "vfs"
