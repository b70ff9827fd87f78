"""Container logs: format, selection, following, rotation."""

import asyncio
import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nodeagent.logs.k8s_file import Entry, last_lines, parse_line, render
from nodeagent.logs.reader import LogOptions, read_log
from nodeagent.logs.rotation import rename_if_large


def line(text: str, second: int = 0, tag: str = "F") -> str:
    return f"2026-01-01T00:00:{second:02d}.123456789+00:00 stdout {tag} {text}\n"


def ten(path: Path) -> Path:
    path.write_text("".join(line(f"l{i}", i) for i in range(10)))
    return path


async def read(path: Path, running: bool = False, **options) -> str:
    pieces = [piece async for piece in read_log(path, LogOptions(**options), lambda: running)]
    return b"".join(pieces).decode()


def test_lines() -> None:
    entry = parse_line(line("hello  world").encode().rstrip(b"\n"))
    assert entry == Entry("2026-01-01T00:00:00.123456789Z", "stdout", True, b"hello  world")
    assert render(entry, False) == b"hello  world\n"
    assert render(entry, True) == b"2026-01-01T00:00:00.123456789Z hello  world\n"
    assert parse_line(b"2026-01-01T00:00:00Z stderr P part") == Entry("2026-01-01T00:00:00Z", "stderr", False, b"part")
    empty = parse_line(b"2026-01-01T00:00:00Z stdout F")
    assert empty is not None and render(empty, False) == b"\n"
    assert parse_line(b"torn") is None


async def test_reading_all(tmp_path: Path) -> None:
    assert await read(ten(tmp_path / "log")) == "".join(f"l{i}\n" for i in range(10))


async def test_partial_lines_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line("a", tag="P") + line("b", tag="P") + line("c") + line("d"))
    assert await read(path) == "abc\nd\n"
    assert await read(path, timestamps=True) == (
        "2026-01-01T00:00:00.123456789Z abc\n2026-01-01T00:00:00.123456789Z d\n"
    )
    assert await read(path, tail_lines=2) == "abc\nd\n"


@pytest.mark.parametrize("count", [0, 1, 3, 10, 99])
async def test_tail(tmp_path: Path, count: int) -> None:
    wanted = [f"l{i}\n" for i in range(10)][max(0, 10 - count) :] if count else []
    assert await read(ten(tmp_path / "log"), tail_lines=count) == "".join(wanted)


async def test_the_tail_of_a_large_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(line(f"{i} " + "x" * 200) for i in range(5000)))
    got = await read(path, tail_lines=700)
    assert got.splitlines()[0].startswith("4300 ") and len(got.splitlines()) == 700


async def test_any_tail_of_a_log_of_torn_and_partial_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    draw = random.Random(7)
    texts = []  # of the program's lines
    with path.open("w") as log:
        for number in range(3000):
            parts = [f"{number}-{part}" + "y" * draw.randrange(90) for part in range(draw.choice((1, 1, 1, 2, 5)))]
            texts.append("".join(parts) + "\n")
            log.writelines(line(part, tag="P") for part in parts[:-1])
            log.write(line(parts[-1]))
            if draw.random() < 0.01:
                log.write("torn\n")
    for count in (1, 2, 500, 1234, 2999, 3000, 3001):
        assert await read(path, tail_lines=count) == "".join(texts[-count:])


async def test_an_entry_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    path = ten(tmp_path / "log")
    path.write_text(path.read_text() + line("half")[:40])
    assert await read(path, tail_lines=2) == "l8\nl9\n"
    path.write_text("2026-01-01T00:00:00Z stdout F no newline yet")
    assert await read(path, tail_lines=2) == ""


async def test_a_long_tail_is_found_in_one_pass(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(line(f"{i}") for i in range(200_000)))
    before = time.process_time()
    assert len((await read(path, tail_lines=150_000)).splitlines()) == 150_000
    assert time.process_time() - before < 5.0


async def test_since(tmp_path: Path) -> None:
    since = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)
    assert await read(ten(tmp_path / "log"), since=since) == "l7\nl8\nl9\n"


async def test_limit(tmp_path: Path) -> None:
    assert await read(ten(tmp_path / "log"), limit_bytes=7) == "l0\nl1\nl"


async def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await read(tmp_path / "none")


async def test_following_across_rotation_until_the_end(tmp_path: Path) -> None:
    path = ten(tmp_path / "log")
    running = True
    got = bytearray()
    news = asyncio.Event()

    async def follow() -> None:
        async for piece in read_log(path, LogOptions(follow=True, tail_lines=1), lambda: running):
            got.extend(piece)
            news.set()

    async def has(text: str) -> None:
        async with asyncio.timeout(30):
            while bytes(got).decode() != text:
                await news.wait()
                news.clear()

    task = asyncio.create_task(follow())
    await has("l9\n")
    with path.open("a") as log:
        log.write(line("more"))
    await has("l9\nmore\n")
    with path.open("a") as log:
        log.write(line("last of the old"))
        path.rename(tmp_path / "log.1")
    path.write_text(line("first of the new"))
    await has("l9\nmore\nlast of the old\nfirst of the new\n")
    running = False
    await asyncio.wait_for(task, 30)


def test_last_lines(tmp_path: Path) -> None:
    path = ten(tmp_path / "log")
    assert last_lines(path, 2, 100) == b"l8\nl9\n"
    assert last_lines(path, 80, 4) == b"\nl9\n"
    assert last_lines(tmp_path / "none", 2, 100) == b""


def test_rotation_keeps_some_files(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    assert not rename_if_large(path, 10, 3, 0)
    for second in range(5):
        path.write_text("x" * 11)
        assert rename_if_large(path, 10, 3, second)
        assert not path.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "0.log.19700101-000003.000000",
        "0.log.19700101-000004.000000",
    ]
    path.write_text("x" * 10)
    assert not rename_if_large(path, 10, 3, 9)
