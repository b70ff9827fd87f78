"""Debian's etcdctl against a member over mutual TLS: an etcd client that knows nothing of us."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.store_process import StoreProcess

pytestmark = [
    pytest.mark.skipif(shutil.which("etcdctl") is None, reason="Debian's etcd-client is not installed"),
    pytest.mark.timeout(30),
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StoreProcess]:
    with StoreProcess(tmp_path) as process:
        await process.start()
        yield process


def run(store: StoreProcess, *arguments: str, stdin: str | None = None) -> str:
    done = store.etcdctl(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_put_get_del(store: StoreProcess) -> None:
    assert run(store, "put", "a", "1") == "OK\n"
    assert run(store, "put", "a", "2", "--prev-kv") == "OK\na\n1\n"
    for key in ("b", "b/x", "b/y", "c"):
        run(store, "put", key, key.upper())
    assert run(store, "get", "a") == "a\n2\n"
    assert run(store, "get", "a", "--rev=2") == "a\n1\n"
    assert run(store, "get", "b", "--prefix", "--keys-only").split() == ["b", "b/x", "b/y"]
    assert run(store, "get", "b", "c", "--print-value-only").split() == ["B", "B/X", "B/Y"]
    assert run(store, "get", "", "--prefix", "--limit=2", "--order=DESCEND", "--sort-by=KEY").split() == [
        "c", "C", "b/y", "B/Y",
    ]  # fmt: skip
    assert run(store, "get", "b", "--from-key", "--sort-by=MODIFY", "--order=DESCEND", "--keys-only").split()[0] == "c"
    assert run(store, "del", "b/", "--prefix", "--prev-kv") == "2\nb/x\nB/X\nb/y\nB/Y\n"
    assert run(store, "del", "nothing") == "0\n"
    answer = json.loads(run(store, "get", "c", "-w", "json"))
    assert answer["header"]["revision"] == 8 and answer["header"]["raft_term"] >= 1
    assert (answer["kvs"][0]["create_revision"], answer["kvs"][0]["version"], answer["count"]) == (7, 1, 1)
    failed = store.etcdctl("get", "a", "--rev=1000")
    assert failed.returncode != 0 and "required revision is a future revision" in failed.stderr


def test_txn(store: StoreProcess) -> None:
    run(store, "put", "k", "1")
    text = 'version("k") = "1"\nvalue("k") = "1"\ncreate("k") > "0"\n\nput k 2\nget k\n\nput k 3\n\n'
    assert run(store, "txn", stdin=text).split() == ["SUCCESS", "OK", "k", "2"]
    assert run(store, "txn", stdin=text).split() == ["FAILURE", "OK"]
    assert run(store, "get", "k") == "k\n3\n"
    failed = store.etcdctl("txn", stdin="\nput a 1\nput a 2\n\n\n")
    assert failed.returncode != 0 and "duplicate key given in txn request" in failed.stderr


def watching(store: StoreProcess, *arguments: str) -> subprocess.Popen[str]:
    assert store.client_tls is not None
    tls = store.client_tls
    command = ["etcdctl", "--endpoints", store.url, "--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key]
    environment = {"ETCDCTL_API": "3", "PATH": "/usr/bin"}
    return subprocess.Popen(
        [*command, "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def test_watch(store: StoreProcess) -> None:
    run(store, "put", "k/a", "1")
    watch = watching(store, "k/", "--prefix", "--rev=2", "--prev-kv")
    try:
        assert lines(watch, 3) == ["PUT", "k/a", "1"]
        run(store, "put", "k/a", "2")
        assert lines(watch, 5) == ["PUT", "k/a", "1", "k/a", "2"]
        run(store, "put", "elsewhere", "x")
        run(store, "del", "k/a")
        assert lines(watch, 5) == ["DELETE", "k/a", "2", "k/a", ""]
    finally:
        watch.kill()
        watch.wait(10)


def test_compaction_ends_watches_of_the_past(store: StoreProcess) -> None:
    for number in range(6):
        run(store, "put", "k", str(number))
    assert run(store, "compact", "5", "--physical") == "compacted revision 5\n"
    failed = store.etcdctl("watch", "k", "--rev=3")
    assert "required revision has been compacted" in failed.stderr
    failed = store.etcdctl("get", "k", "--rev=4")
    assert failed.returncode != 0 and "required revision has been compacted" in failed.stderr
    assert run(store, "get", "k", "--rev=5") == "k\n3\n"
    failed = store.etcdctl("compact", "5")
    assert "required revision has been compacted" in failed.stderr


def test_leases(store: StoreProcess) -> None:
    lease = run(store, "lease", "grant", "60").split()[1]
    assert run(store, "put", "leased", "x", f"--lease={lease}") == "OK\n"
    assert "attached keys([leased])" in run(store, "lease", "timetolive", lease, "--keys")
    assert lease in run(store, "lease", "list")
    assert "keepalived with TTL(60)" in run(store, "lease", "keep-alive", "--once", lease)
    assert "revoked" in run(store, "lease", "revoke", lease)
    assert run(store, "get", "leased") == ""
    failed = store.etcdctl("lease", "revoke", lease)
    assert failed.returncode != 0 and "requested lease not found" in failed.stderr
    assert "already expired" in run(store, "lease", "timetolive", lease)
    failed = store.etcdctl("put", "k", "v", "--lease=1234")
    assert "requested lease not found" in failed.stderr


def test_a_lease_expires(store: StoreProcess) -> None:
    lease = run(store, "lease", "grant", "1").split()[1]
    run(store, "put", "leased", "x", f"--lease={lease}")
    deadline = time.monotonic() + 20
    while run(store, "get", "leased") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert run(store, "get", "leased") == ""


def test_the_member_tells_of_itself(store: StoreProcess) -> None:
    assert "is healthy" in "".join(
        store.etcdctl("endpoint", "health").stdout + store.etcdctl("endpoint", "health").stderr
    )
    (status,) = json.loads(run(store, "endpoint", "status", "-w", "json"))
    assert status["Status"]["leader"] == status["Status"]["header"]["member_id"]
    assert status["Status"]["raftAppliedIndex"] > 0
    (member,) = json.loads(run(store, "member", "list", "-w", "json"))["members"]
    assert member["name"] == "m0" and member["clientURLs"] == [store.url]
    run(store, "put", "k", "u")
    first = json.loads(run(store, "endpoint", "hashkv", "-w", "json"))[0]["HashKV"]
    run(store, "put", "k", "v")
    second = json.loads(run(store, "endpoint", "hashkv", "-w", "json"))[0]["HashKV"]
    assert first["hash"] != second["hash"]
    assert run(store, "alarm", "list") == ""
    assert "Finished defragmenting" in run(store, "defrag")


def test_what_is_not_built_says_so(store: StoreProcess) -> None:
    failed = store.etcdctl("user", "add", "somebody:secret")
    assert failed.returncode != 0 and "this store has no users and roles of its own" in failed.stderr
