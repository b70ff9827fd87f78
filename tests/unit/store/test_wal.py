"""The log on a real file system: torn tails, damage, rotation, trimming."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from kubeactors.store.disk import Disk
from kubeactors.store.errors import CorruptData
from kubeactors.store.wal import record as rec
from kubeactors.store.wal.log import Log
from kubeactors.store.wal.reader import list_segments, read_log
from kubeactors.store.wal.record import Entry, HardState, SnapshotMark
from kubeactors.store.wal.writer import LogFailed, LogWriter

DISK = Disk()
SMALL = 4096


def entry(index: int, size: int = 20, term: int = 1) -> Entry:
    return Entry(term, index, 0, bytes([index % 251 + 1]) * size)


def write(log: Log, *entries: Entry, state: HardState | None = None) -> None:
    records = [rec.encode_entry(e) for e in entries]
    if state is not None:
        records.insert(0, rec.encode_hard_state(state))
    log.append(records, entries[-1].index + 1)


def new_log(directory: Path, segment_bytes: int = SMALL) -> Log:
    return Log.create(DISK, directory, 11, 22, segment_bytes=segment_bytes)


def indexes(directory: Path, after: int = 0) -> list[int]:
    contents = read_log(DISK, directory, after)
    assert contents is not None
    return [e.index for e in contents.entries]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_log(DISK, tmp_path, 0) is None
    log = new_log(tmp_path)
    write(log, entry(1), entry(2), state=HardState(1, 22, 0))
    write(log, entry(3), state=HardState(2, 22, 2))
    log.append([rec.encode_snapshot(SnapshotMark(2, 1))], None)
    log.close()
    contents = read_log(DISK, tmp_path, 0)
    assert contents is not None
    assert contents.entries == [entry(1), entry(2), entry(3)]
    assert contents.hard_state == HardState(2, 22, 2)
    assert contents.snapshot == SnapshotMark(2, 1)
    assert (contents.cluster_id, contents.member_id, contents.torn_bytes) == (11, 22, 0)
    assert indexes(tmp_path, after=2) == [3]
    assert os.stat(list_segments(DISK, tmp_path)[0].path).st_mode & 0o777 == 0o600


def test_a_log_cut_at_any_byte_keeps_every_whole_record_before_it(tmp_path: Path) -> None:
    log = new_log(tmp_path, 2048)
    for first in (1, 4, 7):
        write(log, *(entry(i) for i in range(first, first + 3)))
    log.close()
    path = list_segments(DISK, tmp_path)[0].path
    contents = read_log(DISK, tmp_path, 0)
    assert contents is not None
    whole = path.read_bytes()[: contents.end]
    meta_end = len(rec.encode_meta(rec.Meta(1, 11, 22, 0, 1)))
    ends: list[int] = []
    position = 0
    while position < len(whole):
        kind, _, position = rec.read(whole, position)
        if kind == rec.Kind.ENTRY:
            ends.append(position)
    assert len(ends) == 9
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        if cut < meta_end:
            with pytest.raises(CorruptData, match="offset 0"):
                read_log(DISK, tmp_path, 0)
            continue
        kept = sum(1 for end in ends if end <= cut)
        assert indexes(tmp_path) == list(range(1, kept + 1)), cut
        # The same with zeros after the cut, as in a segment with its place reserved.
        path.write_bytes(whole[:cut] + bytes(600))
        assert indexes(tmp_path) == list(range(1, kept + 1)), cut
        # And it goes on from there.
        contents = read_log(DISK, tmp_path, 0)
        assert contents is not None
        log = Log.open(DISK, tmp_path, contents, kept, 2048)
        write(log, entry(kept + 1, 33))
        log.close()
        assert indexes(tmp_path) == list(range(1, kept + 2)), cut


def test_any_changed_byte_is_damage_or_in_the_last_write_a_torn_tail(tmp_path: Path) -> None:
    log = new_log(tmp_path, 1024)
    write(log, entry(1), entry(2))
    write(log, entry(3))
    before_last = log._end
    write(log, entry(4))
    log.close()
    path = list_segments(DISK, tmp_path)[0].path
    whole = path.read_bytes()
    contents = read_log(DISK, tmp_path, 0)
    assert contents is not None
    for position in range(contents.end):
        broken = bytearray(whole)
        broken[position] ^= 0x41
        path.write_bytes(broken)
        if position < before_last:
            with pytest.raises(CorruptData) as caught:
                read_log(DISK, tmp_path, 0)
            assert str(path) in caught.value.message and "offset" in caught.value.message
        else:
            found = read_log(DISK, tmp_path, 0)
            assert found is not None
            assert [e.index for e in found.entries] == [1, 2, 3]
            assert found.torn_bytes > 0


def test_a_bad_record_is_named_with_file_and_offset(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    write(log, entry(1))
    place = log._end
    write(log, entry(2))
    write(log, entry(3))
    log.close()
    path = list_segments(DISK, tmp_path)[0].path
    data = bytearray(path.read_bytes())
    mark = len(rec.encode_mark(0))
    data[place + mark + 12] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptData, match=rf"{path}: offset {place + mark}: the checksum .* intact records follow"):
        read_log(DISK, tmp_path, 0)


def test_segments_follow_each_other_and_are_trimmed(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    for index in range(1, 101):
        write(log, entry(index, 300))
    segments = list_segments(DISK, tmp_path)
    assert len(segments) > 5
    assert indexes(tmp_path) == list(range(1, 101))
    log.trim(50)
    left = list_segments(DISK, tmp_path)
    assert left[0].first_index <= 50 < left[1].first_index
    assert indexes(tmp_path, after=49) == list(range(50, 101))
    with pytest.raises(CorruptData, match="missing"):
        indexes(tmp_path, after=0)
    left[2].path.unlink()
    with pytest.raises(CorruptData, match="a log segment is missing"):
        indexes(tmp_path, after=49)
    log.close()


def test_damage_in_a_full_segment_stops(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    for index in range(1, 31):
        write(log, entry(index, 300))
    log.close()
    path = list_segments(DISK, tmp_path)[0].path
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorruptData, match="later segments exist"):
        read_log(DISK, tmp_path, 0)


def test_a_record_larger_than_a_segment(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    write(log, entry(1))
    write(log, entry(2, 5 * SMALL))
    write(log, entry(3))
    log.close()
    assert indexes(tmp_path) == [1, 2, 3]


def test_a_new_leaders_entries_replace_what_was_never_committed(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    write(log, entry(1), entry(2), entry(3))
    write(log, entry(2, term=2))
    log.close()
    contents = read_log(DISK, tmp_path, 0)
    assert contents is not None
    assert [(e.term, e.index) for e in contents.entries] == [(1, 1), (2, 2)]


def test_another_members_segment_is_refused(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    for index in range(1, 31):
        write(log, entry(index, 300))
    log.close()
    foreign = tmp_path / "x"
    foreign.mkdir()
    other = Log.create(DISK, foreign, 12, 22, segment_bytes=SMALL)
    for index in range(1, 31):
        write(other, entry(index, 300))
    other.close()
    second = list_segments(DISK, tmp_path)[1]
    os.replace(list_segments(DISK, foreign)[1].path, second.path)
    with pytest.raises(CorruptData, match="another member or cluster"):
        read_log(DISK, tmp_path, 0)


class FullDisk(Disk):
    """Syncs until told otherwise."""

    def __init__(self) -> None:
        self.full = False
        self.syncs = 0

    def sync(self, fd: int) -> None:
        self.syncs += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().sync(fd)


async def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path) -> None:
    disk = FullDisk()
    writer = LogWriter(Log.create(disk, tmp_path, 1, 2, segment_bytes=SMALL))
    writer.start()

    async def append(index: int) -> LogFailed | None:
        reported: asyncio.Future[LogFailed | None] = asyncio.get_running_loop().create_future()
        writer.append([rec.encode_entry(entry(index))], index + 1, reported.set_result)
        return await reported

    assert await append(1) is None
    disk.full = True
    assert "No space left" in str(await append(2))
    disk.full = False
    syncs = disk.syncs
    assert "No space left" in str(await append(2))
    with pytest.raises(LogFailed, match="No space left"):
        await writer.append_mark(rec.encode_snapshot(SnapshotMark(1, 1)))
    assert disk.syncs == syncs
    await writer.stop()


def test_the_hard_state_outlives_the_segment_it_was_written_to(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    write(log, entry(1), state=HardState(5, 22, 0))
    for index in range(2, 60):
        write(log, entry(index, 300))
    log.trim(50)
    log.close()
    contents = read_log(DISK, tmp_path, 49)
    assert contents is not None
    assert contents.hard_state == HardState(5, 22, 0)
    assert len(contents.segments) > 1


def test_entries_that_were_replaced_do_not_come_back_behind_a_snapshot(tmp_path: Path) -> None:
    log = new_log(tmp_path)
    write(log, entry(1), entry(2), entry(3), entry(4))
    write(log, entry(2, term=2), entry(3, term=2))
    log.close()
    assert indexes(tmp_path) == [1, 2, 3]
    assert indexes(tmp_path, after=3) == []  # not entry 4 of term 1
    assert indexes(tmp_path, after=2) == [3]


class CountingDisk(Disk):
    """Notes what is made durable, and what is written beside the log's end."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.done.append("remove")

    def sync_dir(self, directory: Path) -> None:
        super().sync_dir(directory)
        self.done.append("sync dir")

    def write_at(self, fd: int, data: bytes, offset: int) -> None:
        super().write_at(fd, data, offset)
        self.done.append(f"write {len(data)} at {offset}")

    def sync_all(self, fd: int) -> None:
        super().sync_all(fd)
        self.done.append("sync")


def test_removals_are_durable_in_order(tmp_path: Path) -> None:
    disk = CountingDisk()
    log = Log.create(disk, tmp_path, 1, 2, segment_bytes=SMALL)
    for index in range(1, 60):
        write(log, entry(index, 300))
    disk.done.clear()
    log.trim(50)
    log.close()
    assert disk.done[:4] == ["remove", "sync dir", "remove", "sync dir"]


def test_what_was_read_is_durable_once_the_log_is_open(tmp_path: Path) -> None:
    """The process before may have ended between writing and syncing, or after a sync that failed and forgot."""
    log = new_log(tmp_path)
    write(log, entry(1))
    before = log._end
    write(log, entry(2))
    end = log._end
    log.close()
    contents = read_log(DISK, tmp_path, 0)
    assert contents is not None
    disk = CountingDisk()
    Log.open(disk, tmp_path, contents, 2, SMALL).close()
    assert disk.done == [f"write {end - before} at {before}", "sync", "sync dir"]
