"""Who is let in: by hello, and by certificate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.pb.raft.v1.raft_pb2 import Refusal
from kubeactors.pki.authority import Authority, Identity
from kubeactors.store.transport.admission import VERSION, View, judge
from kubeactors.store.transport.certificate import PeerRules, WrongCertificate, address_of, check
from kubeactors.store.transport.interface import Peer

VIEW = View(cluster_id=9, member_id=1, peers={2: Peer(2, ()), 3: Peer(3, ())}, removed={4}, index=10)


def hello(**changes: int) -> raft_pb2.Hello:
    fields = {"version": VERSION, "cluster_id": 9, "sender": 2, "to": 1, "membership_index": 10, **changes}
    return raft_pb2.Hello(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"membership_index": 3}, None),
        ({"version": VERSION + 1}, Refusal.VERSION),
        ({"cluster_id": 8}, Refusal.OTHER_CLUSTER),
        ({"to": 3}, Refusal.OTHER_MEMBER),
        ({"sender": 1}, Refusal.OTHER_MEMBER),
        ({"sender": 4, "membership_index": 99}, Refusal.REMOVED_MEMBER),
        ({"sender": 5}, Refusal.UNKNOWN_MEMBER),
        ({"sender": 5, "membership_index": 11}, None),
    ],
)
def test_a_hello(changes: dict[str, int], reason: int | None) -> None:
    refusal = judge(VIEW, hello(**changes))
    assert (refusal.reason if refusal else None) == reason
    assert refusal is None or refusal.text


def test_a_removed_member_of_another_cluster_is_not_told_that_it_was_removed() -> None:
    refusal = judge(VIEW, hello(sender=4, cluster_id=8))
    assert refusal is not None and refusal.reason == Refusal.OTHER_CLUSTER


def certificate(*names: str, common_name: str = "etcd-peer") -> bytes:
    now = datetime.now(UTC)
    return Authority.create("ca", now).issue(Identity(common_name, names=names, client=True), now).certificate


@pytest.mark.parametrize(
    ("caller", "address"),
    [
        ("ipv4:10.1.2.3:4242", "10.1.2.3"),
        ("ipv6:%5B::1%5D:4242", "::1"),
        ("ipv6:[fe80::1%25eth0]:1", "fe80::1"),
        ("unix:/run/x", None),
    ],
)
def test_the_callers_address(caller: str, address: str | None) -> None:
    assert address_of(caller) == address


@pytest.mark.parametrize(
    ("names", "caller", "rules", "fits"),
    [
        (("10.1.2.3",), "ipv4:10.1.2.3:1", PeerRules(), True),
        (("10.1.2.3",), "ipv4:10.1.2.4:1", PeerRules(), False),
        (("10.1.2.3",), "ipv4:10.1.2.4:1", PeerRules(check_address=False), True),
        (("10.9.9.9", "localhost"), "ipv4:127.0.0.1:1", PeerRules(), True),
        (("no-such-host.invalid",), "ipv4:127.0.0.1:1", PeerRules(), False),
        ((), "ipv4:10.1.2.4:1", PeerRules(), True),
        (("10.1.2.3",), "unix:/run/x", PeerRules(), False),
        (("10.1.2.3",), "ipv4:10.1.2.3:1", PeerRules(allowed_cn="etcd-peer"), True),
        (("10.1.2.3",), "ipv4:10.1.2.3:1", PeerRules(allowed_cn="other"), False),
        (("10.1.2.3", "*.example"), "ipv4:10.1.2.3:1", PeerRules(allowed_hostname="m0.example"), True),
        (("10.1.2.3", "*.example"), "ipv4:10.1.2.3:1", PeerRules(allowed_hostname="a.m0.example"), False),
    ],
)
async def test_a_certificate(names: tuple[str, ...], caller: str, rules: PeerRules, fits: bool) -> None:
    if fits:
        await check(certificate(*names), caller, rules)
    else:
        with pytest.raises(WrongCertificate):
            await check(certificate(*names), caller, rules)
