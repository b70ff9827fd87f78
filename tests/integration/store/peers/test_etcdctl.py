"""Debian's etcdctl, the same commands against etcd and against this store, one member each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.store.peers.sides import (
    HASH_FIELDS,
    SIZE_FIELDS,
    VERSION_FIELDS,
    Pair,
    Side,
    leases,
    log_lines,
    remaining,
    seconds,
)

pytestmark = pytest.mark.timeout(120)


def test_put_and_get(pair: Pair) -> None:
    run = pair.run
    assert run("put", "a", "1").out == "OK\n"
    assert run("put", "a", "2", "--prev-kv").lines == ["OK", "a", "1"]
    run("put", "a", "--ignore-value")
    run("put", "nothing", "--ignore-value", fails=True)
    run("put", "a", "x", "--ignore-lease")
    run("put", "a", "x", "--ignore-value", fails=True)
    run("put", "a", "x", "--lease=1234", fails=True)
    run("put", "from stdin", stdin="a value\nof two lines")
    run("put", "", "x", fails=True)
    for key in ("b", "b/x", "b/y", "c", "b0"):
        run("put", key, key.upper())
    run("get", "a")
    run("get", "nothing")
    assert run("get", "b", "--prefix", "--keys-only").out.split() == ["b", "b/x", "b/y", "b0"]
    run("get", "b/", "--prefix")
    run("get", "b", "c")
    run("get", "c", "b")
    run("get", "b", "--from-key", "--print-value-only")
    run("get", "", "--prefix", "--limit=2")
    run("get", "", "--from-key", "--keys-only")
    run("get", "a", "--rev=2")
    run("get", "a", "--rev=100000", fails=True)
    run("get", "a", "--consistency=s")
    run("get", "a", "--consistency=l")
    run("get", "a", "--consistency=x", fails=True)
    for number, key in enumerate(("s/b", "s/a", "s/c")):
        for value in "zyx"[number:]:
            run("put", key, value + key)
    for target in ("CREATE", "KEY", "MODIFY", "VALUE", "VERSION"):
        for order in ("ASCEND", "DESCEND"):
            run("get", "s/", "--prefix", f"--sort-by={target}", f"--order={order}")
    pair.json("get", "", "--prefix")
    pair.json("put", "a", "3", "--prev-kv")
    run("get", "a", "--hex")


def test_large_and_odd_values(pair: Pair) -> None:
    run = pair.run
    run("put", "with spaces and ünïcode", "värde")
    run("get", "with", "--prefix")
    run("put", "--", "-dashes", "-in front")
    run("get", "--", "-dashes")
    run("put", "large", stdin="x" * 1_000_000)
    assert len(run("get", "large", "--print-value-only").out) >= 1_000_000
    run("put", "too large", stdin="x" * 1_600_000, fails=True)
    run("del", "large")


def test_delete(pair: Pair) -> None:
    run = pair.run
    for key in ("d/1", "d/2", "d/3", "d0"):
        run("put", key, key)
    assert run("del", "d/1").out == "1\n"
    assert run("del", "d/1").out == "0\n"
    assert run("del", "d/", "--prefix", "--prev-kv").lines[0] == "2"
    run("put", "zz/1", "x")
    run("put", "zz/2", "y")
    assert run("del", "zz/1", "--from-key").out == "2\n"
    assert run("del", "d", "e").out == "1\n"
    run("del", fails=True)
    pair.json("del", "nothing")


def test_transactions(pair: Pair) -> None:
    run = pair.run
    run("put", "k", "1")
    text = 'version("k") = "1"\nvalue("k") = "1"\ncreate("k") > "0"\nmod("k") > "0"\n\n'
    text += "put k 2\nget k\n\nput k 3\ndel k\n\n"
    run("txn", stdin=text, fails=True)  # the failure branch writes one key twice
    text = 'version("k") = "1"\nvalue("k") = "1"\n\nput k 2\nget k\n\nput k 3\nget k --print-value-only\n\n'
    assert run("txn", stdin=text).lines[0] == "SUCCESS"
    assert run("txn", stdin=text).lines[0] == "FAILURE"
    run("txn", "--interactive", stdin=text)
    for compare in (
        'value("k") < "9"',
        'value("k") > "9"',
        'value("k") != "9"',
        'version("nothing") = "0"',
        'create("nothing") = "0"',
        'mod("nothing") > "0"',
        'value("nothing") = ""',
    ):
        run("txn", stdin=f"{compare}\n\nget k\n\nget nothing\n\n")
    run("txn", stdin="\n\n\n")
    run("txn", stdin="\nput a 1\nput a 2\n\n\n", fails=True)
    run("txn", stdin='nonsense("k") = "1"\n\n\n\n', fails=True)
    run("txn", stdin="\ndel k --prefix --prev-kv\nput l 1\nget l\n\n\n")
    pair.json("get", "k")


def test_watch(pair: Pair) -> None:
    run = pair.run
    run("put", "w/a", "1")
    start = revision(pair)
    with (
        pair.running("watch", "w/", "--prefix", f"--rev={start}", "--prev-kv") as everything,
        pair.running("watch", "w/a", f"--rev={start + 1}") as one,
        pair.running("watch", "w/", "w0", f"--rev={start}", "-w", "simple") as between,
        pair.running("watch", "w/b", f"--rev={start}", "--", "sh", "-c", "env | grep ETCD_WATCH_ | sort") as execute,
    ):
        run("put", "w/a", "2")
        run("put", "w/b", "x")
        # Before this key's next event: etcdctl prints all events of an answer before it executes for the first.
        execute.lines(3 + 4)
        run("put", "elsewhere", "x")
        run("txn", stdin="\nput w/b y\nput w/c z\ndel w/a\n\n\n")
        run("del", "w/", "--prefix")
        everything.lines(3 + 5 + 3 + 5 + 3 + 5 + 5 + 5)
        one.lines(3 + 3)
        between.lines(3 * 5)


def test_an_interactive_watch(pair: Pair) -> None:
    run = pair.run
    with pair.running("watch", "-i") as watch:
        start = revision(pair) + 1
        watch.type(f"watch iw --rev={start}")
        run("put", "iw", "1")
        watch.lines(3)
        watch.type(f"watch iv --rev={start} --prev-kv")
        run("put", "iv", "2")
        watch.lines(6)
        watch.type("progress")
        assert watch.lines(7)[-1] == f"progress notify: {start + 1}"


def test_watches_of_the_past_and_the_compacted(pair: Pair) -> None:
    run = pair.run
    first = revision(pair) + 1
    for number in range(6):
        run("put", "wc", str(number))
    with pair.running("watch", "wc", f"--rev={first}") as watch:
        assert watch.lines(18)[2::3] == [str(n) for n in range(6)]
    assert run("compact", str(first + 3)).out == f"compacted revision {first + 3}\n"
    run("compact", str(first + 3), fails=True)
    run("compact", "1000000", fails=True)
    run("compact", "x", fails=True)
    run("compact", str(first + 4), "--physical")
    run("get", "wc", f"--rev={first}", fails=True)
    assert run("get", "wc", f"--rev={first + 4}").lines == ["wc", "4"]
    with pair.running("watch", "wc", f"--rev={first}") as watch:
        assert "required revision has been compacted" in "\n".join(watch.lines(2))
        assert watch.theirs.wait() == watch.ours.wait() != 0
    with pair.running("watch", "wc", f"--rev={first + 4}") as watch:
        watch.lines(6)


def test_leases(pair: Pair) -> None:
    run = pair.run
    run("lease", "list")
    granted = {side.name: side.etcdctl("lease", "grant", "60").out for side in pair.sides}
    assert leases(pair.ours, granted["ours"]) == leases(pair.etcd, granted["etcd"])
    lease = {name: out.split()[1] for name, out in granted.items()}

    def each(*arguments: str, fails: bool = False) -> str:
        """A command in which LEASE stands for the store's own."""
        outcomes = []
        for side in pair.sides:
            done = side.etcdctl(*(a.replace("LEASE", lease[side.name]) for a in arguments))
            text = done.out + done.err
            text = log_lines(side, remaining(side, leases(side, text.replace(lease[side.name], "<lease>"))))
            outcomes.append((done.code, text))
        assert outcomes[1] == outcomes[0]
        assert bool(outcomes[0][0]) == fails
        return outcomes[1][1]

    each("put", "leased", "x", "--lease=LEASE")
    each("put", "leased", "y", "--ignore-lease")
    assert "attached keys([leased])" in each("lease", "timetolive", "LEASE", "--keys")
    assert "granted with TTL(60s)" in each("lease", "timetolive", "LEASE")
    assert "found 1 leases" in each("lease", "list")
    assert "keepalived with TTL(60)" in each("lease", "keep-alive", "--once", "LEASE")
    assert "revoked" in each("lease", "revoke", "LEASE")
    each("get", "leased")
    each("lease", "revoke", "LEASE", fails=True)
    assert "already expired" in each("lease", "timetolive", "LEASE")
    each("lease", "keep-alive", "LEASE")
    each("lease", "keep-alive", "--once", "LEASE", fails=True)
    run("lease", "grant", "0", rules=[leases])
    run("lease", "grant", "x", fails=True)
    run("lease", "grant", "9000000001", fails=True)
    run("lease", "list", rules=[leases])


def test_a_lease_that_nobody_renews_takes_its_keys_along(pair: Pair) -> None:
    for side in pair.sides:
        lease = side.etcdctl("lease", "grant", "2").out.split()[1]
        side.etcdctl("put", "short", "x", f"--lease={lease}")
    with pair.running("watch", "short", f"--rev={revision(pair)}") as watch:
        assert watch.lines(6) == ["PUT", "short", "x", "DELETE", "short", ""]
    pair.run("get", "short")


def test_keeping_alive(pair: Pair) -> None:
    for side in pair.sides:
        lease = side.etcdctl("lease", "grant", "3").out.split()[1]
        with side.running("lease", "keep-alive", lease) as renewing:
            assert renewing.lines(3) == [f"lease {lease} keepalived with TTL(3)"] * 3
        side.etcdctl("lease", "revoke", lease)


def test_a_lock(pair: Pair) -> None:
    """etcdctl's lock is a recipe on its own side: a lease, a key, a watch on the key before its own."""
    pair.run("lock", "name", "echo", "held", rules=[leases])
    pair.run("lock", "name", "--ttl=5", "false", fails=True, rules=[leases])
    for side in pair.sides:
        with side.running("lock", "turns") as first:
            (key,) = first.lines(1)
            assert key.startswith("turns/")
            with side.running("lock", "turns") as second:
                wait_for(
                    lambda side=side: len(side.etcdctl("get", "turns", "--prefix", "--keys-only").out.split()) == 2
                )
                first.interrupt()
                assert second.lines(1)[0] > "turns/"
                second.interrupt()
        wait_for_keys(side, "turns", 0)


def test_an_election(pair: Pair) -> None:
    for side in pair.sides:
        with side.running("elect", "post", "one") as first:
            assert first.lines(2)[1] == "one"
            with side.running("elect", "post", "--listen") as listener, side.running("elect", "post", "two") as second:
                assert listener.lines(2)[1] == "one"
                wait_for_keys(side, "post", 2)
                first.interrupt()
                assert second.lines(2)[1] == "two"
                assert listener.lines(4)[3] == "two"
                second.interrupt()
    assert leases(pair.ours, pair.ours.etcdctl("get", "post", "--prefix").out) == ""


def test_what_a_member_tells(pair: Pair) -> None:
    pair.run("endpoint", "health", rules=[seconds])
    pair.json("endpoint", "health", fields={"took"})
    (status,) = pair.json("endpoint", "status", fields={*SIZE_FIELDS, *VERSION_FIELDS})
    assert status["Status"]["leader"] == "<m0>"
    for side in pair.sides:
        # The version decides what clients dare to ask for.
        assert side.json("endpoint", "status")[0]["Status"]["version"].startswith("3.5.")
    pair.json("endpoint", "hashkv", fields=HASH_FIELDS)
    pair.run("put", "hash", "1")
    before = [side.json("endpoint", "hashkv")[0]["HashKV"]["hash"] for side in pair.sides]
    pair.run("put", "hash", "2")
    after = [side.json("endpoint", "hashkv")[0]["HashKV"]["hash"] for side in pair.sides]
    assert before[0] != after[0] and before[1] != after[1]
    pair.run("defrag")
    pair.run("alarm", "list")
    pair.run("alarm", "disarm")
    pair.json("member", "list", fields={"ID"})
    pair.run("member", "list")
    pair.run("check", "nonsense")


def test_users_and_roles(pair: Pair) -> None:
    """This store is an etcd in which there are none, and none can be made."""
    for arguments in (("user", "list"), ("role", "list"), ("auth", "disable")):
        pair.run(*arguments)
    for arguments in (("user", "get", "u"), ("user", "delete", "u"), ("role", "get", "r"), ("auth", "enable")):
        pair.run(*arguments, fails=True)
    for arguments in (("user", "add", "u:secret"), ("role", "add", "r")):
        refused = pair.ours.etcdctl(*arguments)
        assert refused.code != 0 and "has no users and roles of its own" in refused.err


def test_snapshots_are_saved(pair: Pair, tmp_path: Path) -> None:
    for side in pair.sides:
        path = tmp_path / f"{side.name}.db"
        saved = side.etcdctl("snapshot", "save", str(path))
        assert saved.code == 0, saved.err
        assert f"Snapshot saved at {path}" in saved.out + saved.err
        assert path.stat().st_size % 512 == 32  # as newer versions of etcdctl demand it


@pytest.mark.parametrize("direction", ["etcd to ours", "ours to etcd"])
def test_a_mirror(pair: Pair, direction: str) -> None:
    source, target = pair.sides if direction == "etcd to ours" else pair.sides[::-1]
    prefix = direction.replace(" ", "-")
    for number in range(3):
        source.etcdctl("put", f"{prefix}/{number}", str(number))
    arguments = ("make-mirror", "--prefix", f"{prefix}/", "--dest-prefix", f"{prefix}-there/")
    with source.running(*arguments, target.urls[0].partition("://")[2]):

        def there() -> list[str]:
            return target.etcdctl("get", f"{prefix}-there/", "--prefix", "--print-value-only").out.split()

        wait_for(lambda: there() == ["0", "1", "2"])
        source.etcdctl("put", f"{prefix}/3", "3")
        source.etcdctl("del", f"{prefix}/0")
        wait_for(lambda: there() == ["1", "2", "3"])


def revision(pair: Pair) -> int:
    """The revision that both are at."""
    found = {side.json("get", "nothing")["header"]["revision"] for side in pair.sides}
    assert len(found) == 1, found
    return int(found.pop())


def wait_for_keys(side: Side, prefix: str, count: int) -> None:
    wait_for(lambda: len(side.etcdctl("get", prefix, "--prefix", "--keys-only").out.split()) == count)


def wait_for(condition: Callable[[], bool], timeout: float = 30) -> None:
    """What happens in another process, which tells nobody."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
