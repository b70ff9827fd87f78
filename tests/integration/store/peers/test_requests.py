"""Odd and wrong requests, sent to both stores as raw gRPC: the same code, the same words, the same content."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from tests.integration.store.peers import table
from tests.integration.store.peers.sides import Pair, Side, ask

pytestmark = pytest.mark.timeout(120)

TRIES = 3
OVERLOADED = ("UNAVAILABLE", "etcdserver: request timed out")
"""What a store says on a machine that is too busy; not what the request deserves, so it is asked again."""


def test_kv(pair: Pair) -> None:
    compare(pair, table.KV)


def test_leases(pair: Pair) -> None:
    compare(pair, table.LEASES)


def test_cluster(pair: Pair) -> None:
    compare(pair, table.CLUSTER)


def test_maintenance(pair: Pair) -> None:
    compare(pair, table.MAINTENANCE)


@pytest.mark.parametrize("difference", table.DIFFERENCES, ids=lambda d: d.case.name.replace(" ", "-"))
def test_known_differences(pair: Pair, difference: table.Difference) -> None:
    """Each is still there and still as described; one that has gone has to leave the table."""
    with pair.etcd.channel() as theirs, pair.ours.channel() as ours:
        method, request = difference.case.method, difference.case.request
        assert ask(theirs, method, request)[:2] == difference.etcd
        assert ask(ours, method, request)[:2] == difference.ours


def compare(pair: Pair, cases: list[table.Case]) -> None:
    differing = []
    with pair.etcd.channel() as theirs, pair.ours.channel() as ours:
        # Each table begins at the same revision on both sides, whatever was done before.
        assert revision(theirs) == revision(ours)
        for case in cases:
            wanted = answer(pair.etcd, theirs, case)
            got = answer(pair.ours, ours, case)
            if got != wanted:
                differing.append(f"{case.name}\n    etcd: {wanted}\n    ours: {got}")
    assert not differing, "\n".join(differing)


def revision(channel: Any) -> int:
    _, _, response = ask(channel, "KV.Range", table.Range(key=b"a"))
    return int(response.header.revision)


def answer(side: Side, channel: Any, case: table.Case) -> tuple[str, str, Any]:
    for _ in range(TRIES):
        code, words, response = ask(channel, case.method, case.request)
        if (code, words) != OVERLOADED:
            break
    if response is None:
        return code, words, None
    content = json_format.MessageToDict(response)
    header = content.pop("header")
    if "ID" in content and not getattr(case.request, "ID", 0):
        content["ID"] = "<chosen>"  # the store's choice
    if "leases" in content:
        # The ids that a store chose are larger than those of the table.
        content["leases"] = [lease if int(lease["ID"]) < 10**9 else "<chosen>" for lease in content["leases"]]
    if case.method == "Maintenance.HashKV":
        content.pop("hash", None)  # each store's own way to hash
    if "TTL" in content and case.method == "Lease.LeaseTimeToLive" and int(content["TTL"]) > 0:
        content["TTL"] = "<time>"
    return code, words, (header.get("revision"), content)
