"""What a member tells another that has no data yet."""

from __future__ import annotations

from pathlib import Path

from kubeactors.store.machine.membership import Member
from kubeactors.store.transport import discovery
from kubeactors.store.transport.interface import ClusterRecord
from tests.support.raft_transport import End, PeerAuthority, running

KNOWN = ClusterRecord(
    2**63 + 5, (Member(2**63 + 1, "m0", ("https://a:1",), ("https://a:2",), False), Member(3, "", (), (), True)), (7, 8)
)


async def test_everything_is_told_and_who_is_silent_is_named(tmp_path: Path) -> None:
    authority = PeerAuthority(tmp_path / "pki")
    end = End(1, authority.issue("a"))
    end.received.known = KNOWN
    nobody = "https://127.0.0.1:1"
    async with running(end, mesh=False):
        answers, problems = await discovery.ask([end.url, nobody], authority.issue("b"), 3)
    assert answers == {end.url: KNOWN}
    assert list(problems) == [nobody] and "refused" in problems[nobody]


async def test_a_stranger_is_told_nothing(tmp_path: Path) -> None:
    authority = PeerAuthority(tmp_path / "pki")
    end = End(1, authority.issue("a"))
    async with running(end, mesh=False):
        for tls in (None, PeerAuthority(tmp_path / "other").issue("x"), authority.issue("elsewhere", "10.255.255.1")):
            answers, problems = await discovery.ask([end.url], tls, 2)
            assert not answers and list(problems) == [end.url]
