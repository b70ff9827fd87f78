"""The simulated disk keeps what POSIX promises, and loses what it does not."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import pytest

from kubeactors.store.disk import Disk
from tests.sim.disk import Crash, SimDisk

ROOT = Path("/data")
COMPOSITE = {"make_dir", "rename"}


def test_every_step_of_the_real_disk_is_simulated() -> None:
    public = {name for name in vars(Disk) if not name.startswith("_")}
    assert public - COMPOSITE <= set(vars(SimDisk))
    assert not COMPOSITE & set(vars(SimDisk))


def outcomes(size: int, synced: bool) -> set[bytes]:
    found = set()
    for seed in range(200):
        disk = SimDisk(Random(seed))
        fd = disk.open(ROOT / "a", create=True)
        disk.sync_dir(ROOT)
        disk.write_at(fd, b"x" * size, 0)
        if synced:
            disk.sync(fd)
        disk.power_loss()
        found.add(disk.read(ROOT / "a"))
    return found


def test_what_was_synced_stays_and_what_was_not_is_lost_kept_or_torn() -> None:
    assert outcomes(1500, synced=True) == {b"x" * 1500}
    found = outcomes(1500, synced=False)
    assert {b"", b"x" * 1500} < found
    assert b"\0" * 512 + b"x" * 988 in found  # the later sectors without the first
    assert any(len(data) % 512 and data.count(0) == 0 for data in found)  # a sector in part


def test_names_are_durable_after_the_directorys_sync_only() -> None:
    seen = set()
    for seed in range(100):
        disk = SimDisk(Random(seed))
        fd = disk.open(ROOT / "a", create=True)
        disk.write_at(fd, b"1", 0)
        disk.sync_all(fd)
        disk.replace(ROOT / "a", ROOT / "b")
        disk.power_loss()
        seen.add(tuple(disk.list(ROOT)))
    assert seen == {(), ("a",), ("b",)}
    disk = SimDisk(Random(1))
    fd = disk.open(ROOT / "a", create=True)
    disk.rename(ROOT / "a", ROOT / "b")
    disk.power_loss()
    assert disk.list(ROOT) == ["b"]


def test_removals_become_durable_in_any_order() -> None:
    seen = set()
    for seed in range(100):
        disk = SimDisk(Random(seed))
        for name in "abc":
            disk.open(ROOT / name, create=True)
        disk.sync_dir(ROOT)
        disk.remove(ROOT / "a")
        disk.remove(ROOT / "b")
        disk.power_loss()
        seen.add("".join(sorted(disk.list(ROOT))))
    assert seen == {"abc", "bc", "ac", "c"}


def test_a_killed_process_loses_nothing() -> None:
    disk = SimDisk(Random(1))
    fd = disk.open(ROOT / "a", create=True)
    disk.write_at(fd, b"abc", 0)
    disk.kill()
    assert disk.read(ROOT / "a") == b"abc"
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.write_at(fd, b"abc", 0)


def test_a_failed_sync_leaves_readable_what_the_next_sync_does_not_write() -> None:
    seen = set()
    for seed in range(100):
        disk = SimDisk(Random(seed))
        fd = disk.open(ROOT / "a", create=True)
        disk.sync_dir(ROOT)
        disk.write_at(fd, b"abc", 0)
        disk.fail_syncs = 1
        with pytest.raises(OSError, match="Input/output"):
            disk.sync(fd)
        assert disk.read(ROOT / "a") == b"abc"
        disk.sync(fd)
        disk.power_loss()
        seen.add(disk.read(ROOT / "a"))
    assert {b"", b"abc"} <= seen


def test_a_full_disk_takes_a_part_and_says_so() -> None:
    disk = SimDisk(Random(1), capacity=1000)
    fd = disk.open(ROOT / "a", create=True)
    disk.allocate(fd, 600)
    with pytest.raises(OSError) as caught:
        disk.allocate(fd, 1001)
    assert caught.value.errno == errno.ENOSPC
    disk.write_at(fd, b"x" * 700, 0)
    with pytest.raises(OSError, match="No space"):
        disk.write_at(fd, b"x" * 700, 700)
    assert disk.used == 1000
    disk.remove(ROOT / "a")
    assert disk.used == 0


def test_a_crash_at_any_step_and_a_write_in_part() -> None:
    sizes = set()
    for seed in range(50):
        disk = SimDisk(Random(seed))
        fd = disk.open(ROOT / "a", create=True)
        disk.crash_at = disk.ops
        with pytest.raises(Crash):
            disk.write_at(fd, b"x" * 10, 0)
        disk.kill()
        sizes.add(len(disk.read(ROOT / "a")))
    assert sizes == set(range(11))
