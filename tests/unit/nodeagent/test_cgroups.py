"""Control groups of pods, on directories that behave like a hierarchy: empty ones can be removed, others cannot."""

import asyncio
from pathlib import Path

from nodeagent.kernel.cgroups import Cgroups, remove_patiently
from nodeagent.pods.sandbox import pod_cgroups


def hierarchies(root: Path, *groups: str) -> Cgroups:
    for hierarchy in ("memory", "pids"):
        for group in ("", *groups):
            (root / hierarchy / group).mkdir(parents=True)
    return Cgroups(root)


def test_a_group_goes_with_those_below_it(tmp_path: Path) -> None:
    cgroups = hierarchies(tmp_path, "k/n/pod1/conmon")
    assert cgroups.remove("/k/n/pod1")
    assert not (tmp_path / "memory/k/n/pod1").exists() and not (tmp_path / "pids/k/n/pod1").exists()
    assert cgroups.remove("/k/n/pod1"), "one that is not there is removed"


async def test_a_group_goes_when_its_last_process_has_ended(tmp_path: Path) -> None:
    cgroups = hierarchies(tmp_path, "k/pod1/conmon")
    process = tmp_path / "memory/k/pod1/conmon/process"
    process.touch()
    assert not cgroups.remove("/k/pod1")
    assert not await remove_patiently(cgroups, "/k/pod1", patience=0.05)
    asyncio.get_running_loop().call_later(0.05, process.unlink)
    assert await remove_patiently(cgroups, "/k/pod1")
    assert not (tmp_path / "memory/k/pod1").exists()


def test_groups_of_pods_are_found_in_every_quality_of_service(tmp_path: Path) -> None:
    cgroups = hierarchies(tmp_path, "k/podg", "k/burstable/podb", "k/besteffort/pode", "k/besteffort/other")
    (tmp_path / "pids/k/podonly").mkdir()
    assert sorted(pod_cgroups(cgroups, "/k")) == [
        ("b", "/k/burstable/podb"),
        ("e", "/k/besteffort/pode"),
        ("g", "/k/podg"),
        ("only", "/k/podonly"),
    ]
    assert pod_cgroups(cgroups, "/none") == []
