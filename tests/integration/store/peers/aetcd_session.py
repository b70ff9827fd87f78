"""Everyday use of aetcd, told step by step as JSON lines: `python aetcd_session.py PORT DIRECTORY`.

A process of its own, because aetcd and this project both bring etcd's messages, and one process can hold them once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aetcd


def plain(value: Any) -> Any:
    """What aetcd returned, as JSON; members and cluster are left out, they differ."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, aetcd.rtypes.ResponseHeader):
        return {"revision": value.revision}
    if isinstance(value, aetcd.rtypes.GetRange):
        return {"kvs": [plain(kv) for kv in value], "count": value.count, "more": value.more, **plain(value.header)}
    if isinstance(value, aetcd.rtypes.DeleteRange):
        return {"deleted": value.deleted, "prev_kvs": [plain(kv) for kv in value], **plain(value.header)}
    if isinstance(value, aetcd.rtypes.Event):
        return {"kind": value.kind, "kv": plain(value.kv), "prev_kv": plain(value.prev_kv)}
    if hasattr(value, "__slots__"):
        return {name: plain(getattr(value, name)) for name in value.__slots__ if hasattr(value, name)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value).split("header")[0]


async def step(name: str, awaitable: Any) -> Any:
    try:
        result = await awaitable
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the outcome
        print(json.dumps([name, type(error).__name__, str(error)]))
        return None
    print(json.dumps([name, "ok", plain(result)]))
    return result


async def keys(client: aetcd.Client) -> None:
    await step("put", client.put(b"a/1", b"one"))
    await step("put, previous", client.put(b"a/1", b"two", prev_kv=True))
    for number in range(2, 6):
        await client.put(b"a/%d" % number, b"%d" % -number)
    await step("get", client.get(b"a/1"))
    await step("get nothing", client.get(b"nothing"))
    await step("get an older revision", client.get(b"a/1", revision=2))
    await step("get the future", client.get(b"a/1", revision=10_000))
    await step("prefix", client.get_prefix(b"a/"))
    await step("prefix, limit", client.get_prefix(b"a/", limit=2))
    await step("prefix by value", client.get_prefix(b"a/", sort_order="descend", sort_target="value"))
    await step("prefix, keys only", client.get_prefix(b"a/", keys_only=True))
    await step("range", client.get_range(b"a/2", b"a/4"))
    await step("all", client.get_all())
    await step("replace", client.replace(b"a/1", b"two", b"three"))
    await step("replace again", client.replace(b"a/1", b"two", b"four"))
    await step("delete", client.delete(b"a/1", prev_kv=True))
    await step("delete nothing", client.delete(b"a/1"))
    await step("delete range", client.delete_range(b"a/2", b"a/4", prev_kv=True))
    await step("delete prefix", client.delete_prefix(b"a/"))


async def transactions(client: aetcd.Client) -> None:
    t = client.transactions
    await client.put(b"t", b"1")
    for name, compare in {
        "value": t.value(b"t") == b"1",
        "value, not": t.value(b"t") != b"1",
        "version": t.version(b"t") > 0,
        "create": t.create(b"nothing") == 0,
        "mod": t.mod(b"t") < 3,
    }.items():
        outcome = client.transaction(compare=[compare], success=[t.get(b"t")], failure=[t.get(b"nothing")])
        await step(f"transaction on {name}", outcome)
    nested = t.txn([t.value(b"t") == b"1"], [t.put(b"nested", b"yes")], [t.put(b"nested", b"no")])
    await step("nested", client.transaction([], [t.put(b"u", b"2", prev_kv=True), nested, t.get(b"nested")], []))
    await step("twice", client.transaction([], [t.put(b"u", b"1"), t.put(b"u", b"2")], []))


async def watches(client: aetcd.Client) -> None:
    watch = await client.watch_prefix(b"w/", prev_kv=True)
    puts = await client.watch_prefix(b"w/", kind=aetcd.rtypes.EventKind.PUT)
    await client.put(b"w/1", b"x")
    await client.put(b"w/1", b"y")
    await client.delete(b"w/1")
    last = (await client.put(b"w/2", b"z")).header.revision
    for name, wanted, count in (("watch", watch, 4), ("watch of puts", puts, 3)):
        events = aiter(wanted)
        for _ in range(count):
            await step(name, asyncio.wait_for(anext(events), 10))
        await wanted.cancel()
    past = aiter(await client.watch_prefix(b"w/", start_revision=last - 3))
    for _ in range(4):
        await step("watch of the past", asyncio.wait_for(anext(past), 10))
    await step("once", client.watch_once(b"w/2", timeout=10, start_revision=last))
    await step("once, too late", client.watch_once(b"nothing", timeout=1))
    await step("compact", client.compact(last - 1, physical=True))
    await step("compact again", client.compact(last - 1))
    await step("watch of the compacted", client.watch_once(b"w/1", timeout=10, start_revision=2))
    await step("get the compacted", client.get(b"w/1", revision=2))


async def leases(client: aetcd.Client) -> None:
    lease = await client.lease(60, lease_id=12345)
    await step("attach", client.put(b"leased", b"x", lease=lease))
    await step("granted", lease.granted_ttl())
    await step("keys", lease.keys())
    print(json.dumps(["remaining", "ok", await lease.remaining_ttl() > 50]))
    print(json.dumps(["refresh", "ok", (await lease.refresh()).TTL]))
    await step("the same lease again", client.lease(60, lease_id=12345))
    await step("revoke", lease.revoke())
    await step("revoke again", lease.revoke())
    await step("gone", client.get(b"leased"))
    await step("attach to nothing", client.put(b"leased", b"x", lease=12345))
    short = await client.lease(2)
    revision = (await client.put(b"short", b"x", lease=short)).header.revision
    await step("expires", client.watch_once(b"short", timeout=20, start_revision=revision + 1))


async def locks(client: aetcd.Client) -> None:
    first, second = client.lock(b"lock", ttl=20), client.lock(b"lock", ttl=20)
    await step("acquire", first.acquire())
    await step("acquire what another has", second.acquire(timeout=1))
    waiting = asyncio.create_task(second.acquire(timeout=20))
    await step("release", first.release())
    await step("acquire what was released", waiting)
    await step("is acquired", second.is_acquired())
    await step("release too", second.release())


async def upkeep(client: aetcd.Client, directory: Path) -> None:
    status = await client.status()
    assert status.leader is not None
    print(json.dumps(["status", "ok", [status.version.split(".")[:2], status.db_size > 0, status.leader.name]]))
    print(json.dumps(["members", "ok", [member.name async for member in client.members()]]))
    await step("defragment", client.defragment())
    raised = await client.create_alarm(member_id=77)
    print(json.dumps(["alarm", "ok", [[a.alarm_type, a.member_id] for a in raised]]))
    await step("put without space", client.put(b"full", b"x"))
    print(json.dumps(["alarms", "ok", [a.member_id async for a in client.list_alarms()]]))
    print(json.dumps(["disarm", "ok", [a.member_id for a in await client.disarm_alarm(member_id=77)]]))
    await step("put with space", client.put(b"full", b"x"))
    before, after = await client.hash(), await client.hash()
    print(json.dumps(["hash", "ok", before == after]))
    path = directory / "snapshot.db"
    with path.open("wb") as file:
        await client.snapshot(file)
    print(json.dumps(["snapshot", "ok", path.stat().st_size % 512]))


async def main(port: int, directory: Path) -> None:
    async with aetcd.Client(host="127.0.0.1", port=port, timeout=30) as client:
        await keys(client)
        await transactions(client)
        await watches(client)
        await leases(client)
        await locks(client)
        await upkeep(client, directory)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
