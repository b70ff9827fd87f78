"""The member as a process: crash under load, clean stop, exit codes, idle cost."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import StoreClient, StoreUnavailable, TlsFiles, ops
from kubeactors.store.client.channel import open_channel
from tests.support.store_process import StoreProcess, make_certificates


async def test_kill_9_under_concurrent_writers_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """Each writer counts a key of its own up; what is found must be the last acknowledged number, or one more (the
    write whose answer the crash took)."""
    chance = random.Random(20261123)
    with StoreProcess(tmp_path, "--snapshot-count", "3000") as process:
        await process.start()
        store = StoreClient([process.url], process.client_tls, timeout=20)
        acknowledged = dict.fromkeys(range(32), 0)
        unknown: dict[int, int] = {}
        stop = asyncio.Event()
        watched: dict[bytes, int] = {}
        watch = store.watch(b"w/", 1)

        async def follow() -> None:
            async for batch in watch:
                for event in batch.events:
                    number = int(event.kv.value.split(b" ")[0])
                    assert number == watched.get(event.kv.key, 0) + 1, "a change was lost or came twice"
                    watched[event.kv.key] = number

        async def write(writer: int) -> None:
            key = b"w/%d" % writer
            while not stop.is_set():
                number = acknowledged[writer] + 1
                try:
                    await store.put(key, b"%d %s" % (number, b"x" * chance.randrange(2000)))
                    acknowledged[writer] = number
                except StoreUnavailable as error:
                    assert error.outcome_unknown
                    found = await store.get(key)
                    seen = int(found.value.split(b" ")[0]) if found else 0
                    assert seen in (number - 1, number), "an acknowledged write is gone"
                    unknown[writer] = unknown.get(writer, 0) + 1
                    acknowledged[writer] = seen

        follower = asyncio.create_task(follow())
        writers = [asyncio.create_task(write(n)) for n in acknowledged]
        for _ in range(4):
            await asyncio.sleep(chance.uniform(0.3, 0.8))
            process.kill()
            await process.start()
        await asyncio.sleep(0.3)
        stop.set()
        await asyncio.gather(*writers)
        process.kill()
        await process.start()
        found = {kv.key: int(kv.value.split(b" ")[0]) for kv in (await store.prefix(b"w/")).kvs}
        assert found == {b"w/%d" % n: count for n, count in acknowledged.items() if count}
        assert sum(acknowledged.values()) > 1000
        assert unknown, "no write was in flight at any crash: the test tested nothing"
        async with asyncio.timeout(30):
            while watched != found:
                assert not follower.done(), follower
                await asyncio.sleep(0.05)
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
        await watch.close()
        await store.close()


async def test_a_large_log_is_quickly_there_again(tmp_path: Path) -> None:
    with StoreProcess(tmp_path, "--snapshot-count", "10000") as process:
        await process.start()
        async with asyncio.timeout(60):
            store = StoreClient([process.url], process.client_tls, timeout=30)
            value = b"x" * 500

            async def write(first: int) -> None:
                for number in range(first, first + 500):
                    await store.put(b"k/%d" % (number % 12_000), value)

            await asyncio.gather(*(write(n * 500) for n in range(50)))
            before = await store.range(b"k/", b"k0", count_only=True)
            started = time.monotonic()
            process.kill()
            await process.start()
            took = time.monotonic() - started
            assert await store.range(b"k/", b"k0", count_only=True) == before
            assert before.count == 12_000
            await store.close()
        assert took < 20, f"{took:.1f} s"
        snapshots = list((process.data_dir / "member" / "snap").iterdir())
        assert len(snapshots) == 1


async def test_sigterm_stops_cleanly_and_modes_are_narrow(tmp_path: Path) -> None:
    with StoreProcess(tmp_path) as process:
        await process.start()
        assert int(process.pid_file.read_text()) == process.pid
        store = StoreClient([process.url], process.client_tls)
        writes = [asyncio.create_task(store.put(b"k%d" % n, b"", timeout=2)) for n in range(200)]
        await writes[0]
        assert await asyncio.to_thread(process.terminate) == 0
        assert not process.pid_file.exists()
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        unknown = [o for o in outcomes if isinstance(o, StoreUnavailable) and o.outcome_unknown]
        assert not unknown, "a clean stop answers what it accepted"
        acknowledged = sum(1 for o in outcomes if not isinstance(o, BaseException))
        for directory, directories, files in os.walk(process.data_dir):
            for name in (".", *directories):
                assert (Path(directory) / name).stat().st_mode & 0o777 == 0o700
            for name in files:
                assert (Path(directory) / name).stat().st_mode & 0o777 == 0o600
        await process.start()
        assert (await store.prefix(b"k", keys_only=True)).count == acknowledged
        await store.close()


async def test_an_idle_member_costs_next_to_nothing(tmp_path: Path) -> None:
    with StoreProcess(tmp_path) as process:
        await process.start()
        store = StoreClient([process.url], process.client_tls)
        await store.put(b"k", b"")
        watches = [store.watch(b"/registry/%d/" % n) for n in range(20)]
        for watch in watches:
            await watch.start()

        def spent() -> int:
            """In ticks, of which a second has 100."""
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        await asyncio.sleep(0.5)
        before = spent()
        await asyncio.sleep(3)
        assert spent() - before <= 15, "more than 5 % of a core while nothing happens"
        for watch in watches:
            await watch.close()
        await store.close()


async def test_nobody_comes_in_without_a_certificate_of_the_authority(tmp_path: Path) -> None:
    with StoreProcess(tmp_path) as process:
        await process.start()
        assert process.client_tls is not None
        _, stranger = make_certificates(tmp_path / "other")
        for tls in (
            TlsFiles(process.client_tls.ca, stranger.cert, stranger.key),
            TlsFiles(stranger.ca, process.client_tls.cert, process.client_tls.key),
        ):
            channel = open_channel(process.url, tls)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"k"), timeout=2)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            await channel.close()
        ca = Path(process.client_tls.ca).read_bytes()
        async with grpc.aio.secure_channel(f"127.0.0.1:{process.port}", grpc.ssl_channel_credentials(ca)) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"k"), timeout=2)


async def test_renewed_certificates_need_no_restart(tmp_path: Path) -> None:
    with StoreProcess(tmp_path) as process:
        await process.start()
        assert process.server_tls is not None
        server, client = make_certificates(tmp_path / "other")
        store = StoreClient([process.url], client, timeout=1)
        with pytest.raises(StoreUnavailable):
            await store.put(b"k", b"")
        await store.close()
        for new, old in ((server.ca, process.server_tls.ca), (server.key, process.server_tls.key)):
            shutil.copy(new, old)
        shutil.copy(server.cert, process.server_tls.cert)
        store = StoreClient([process.url], client)
        await store.put(b"k", b"")
        await store.close()
        assert "certificates were renewed" in process.log.read_text()


async def test_a_disk_that_takes_no_more_is_told_and_ends_the_member(tmp_path: Path) -> None:
    """A tmpfs of 70 MB: the first segment of the log fits, the second does not."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    data = tmp_path / "data"
    data.mkdir()
    assert os.system(f"mount -t tmpfs -o size=70m none {data}") == 0
    try:
        with StoreProcess(tmp_path) as process:
            await process.start()
            store = StoreClient([process.url], process.client_tls, timeout=10)
            acknowledged = 0
            with pytest.raises(StoreUnavailable) as caught:
                while True:
                    await store.put(b"k%03d" % acknowledged, b"x" * 1_000_000)
                    acknowledged += 1
            assert caught.value.outcome_unknown
            assert process._process is not None
            assert await asyncio.to_thread(process._process.wait, 10) == 1
            assert (
                "stops serving: the log cannot be written: [Errno 28] No space left on device"
                in process.log.read_text()
            )
            assert not process.pid_file.exists()
            assert os.system(f"mount -o remount,size=300m {data}") == 0
            await process.start()
            assert (await store.prefix(b"k", keys_only=True)).count >= acknowledged > 50
            await store.close()
    finally:
        os.system(f"umount {data}")


async def test_wrong_flags_and_damaged_data_have_their_exit_codes(tmp_path: Path) -> None:
    with StoreProcess(tmp_path, tls=False) as process:
        await process.start()
        store = StoreClient([process.url])
        for number in range(5):
            await store.put(b"k", b"%d" % number)
        await store.close()
        process.kill()
        (segment,) = (process.data_dir / "member" / "wal").iterdir()
        data = bytearray(segment.read_bytes())
        data[300] ^= 1
        segment.write_bytes(data)
        assert process.spawn().wait(20) == 1
        text = process.log.read_text()
        assert f"cannot start: {segment}: offset " in text
    with StoreProcess(tmp_path, "--cert-file", "x", tls=False) as process:
        assert process.spawn().wait(20) == 2
        assert "go together" in process.log.read_text()


async def test_compare_and_swap_by_many_hands_counts_right(tmp_path: Path) -> None:
    with StoreProcess(tmp_path, tls=False) as process:
        await process.start()
        store = StoreClient([process.url])
        await store.put(b"counter", b"0")

        async def add(times: int) -> None:
            while times:
                seen = await store.get(b"counter")
                assert seen is not None
                swap = await store.txn(
                    [ops.mod_revision(b"counter", "=", seen.mod_revision)],
                    [ops.put(b"counter", b"%d" % (int(seen.value) + 1))],
                )
                times -= swap.succeeded

        await asyncio.gather(*(add(20) for _ in range(8)))
        final = await store.get(b"counter")
        assert final is not None and final.value == b"160"
        await store.close()
