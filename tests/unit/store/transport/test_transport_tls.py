"""Members with certificates."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from kubeactors.store.transport.certificate import PeerRules
from kubeactors.store.transport.interface import Peer
from tests.support.raft_transport import End, PeerAuthority, connected, heartbeat, running, until


@pytest.fixture
def authority(tmp_path: Path) -> PeerAuthority:
    return PeerAuthority(tmp_path / "pki")


async def never_connected(*ends: End) -> None:
    await asyncio.sleep(0.4)
    assert not any(end.received.connected for end in ends)


async def test_members_of_one_authority(authority: PeerAuthority) -> None:
    a, b = End(1, authority.issue("a")), End(2, authority.issue("b"))
    async with running(a, b):
        a.transport.send([heartbeat(a, b)])
        await until(lambda: bool(b.received.messages))


async def test_another_authoritys_member_gets_no_connection(authority: PeerAuthority, tmp_path: Path) -> None:
    a = End(1, authority.issue("a"))
    b = End(2, PeerAuthority(tmp_path / "other").issue("b"))
    async with running(a, b, mesh=False):
        a.knows(b)
        b.knows(a)
        await never_connected(a, b)


async def test_a_member_without_a_certificate_gets_no_connection(authority: PeerAuthority) -> None:
    a, b = End(1, authority.issue("a")), End(2)
    async with running(a, b, mesh=False):
        a.transport.set_peers([Peer(2, ())], [], 1)
        b.transport.set_peers([Peer(1, (a.url.replace("https", "http"),))], [], 1)
        await never_connected(a, b)


async def test_a_certificate_for_another_address_is_refused(
    authority: PeerAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    a, b = End(1, authority.issue("a")), End(2, authority.issue("b", "10.255.255.1"))
    async with running(a, b, mesh=False):
        a.transport.set_peers([Peer(2, ())], [], 1)
        b.knows(a)
        await never_connected(a, b)
        told = [r.message for r in caplog.records if "does not match" in r.message]
        assert len([text for text in told if "is refused" in text]) == 1, "said once, not at every attempt"
    lenient = End(1, authority.issue("a"), rules=PeerRules(check_address=False))
    b = End(2, authority.issue("b", "10.255.255.1"))
    async with running(lenient, b, mesh=False):
        lenient.transport.set_peers([Peer(2, ())], [], 1)
        b.knows(lenient)
        await until(lambda: connected(lenient, b))


async def test_a_server_at_an_address_that_its_certificate_does_not_have_is_not_talked_to(
    authority: PeerAuthority,
) -> None:
    a, b = End(1, authority.issue("a")), End(2, authority.issue("b", "10.255.255.1"))
    async with running(a, b, mesh=False):
        a.knows(b)
        b.transport.set_peers([Peer(1, ())], [], 1)
        await never_connected(a, b)


async def test_only_the_allowed_common_name(authority: PeerAuthority) -> None:
    a = End(1, authority.issue("a"), rules=PeerRules(allowed_cn="etcd-peer"))
    b, c = End(2, authority.issue("etcd-peer")), End(3, authority.issue("apiserver-etcd-client"))
    async with running(a, b, c, mesh=False):
        a.transport.set_peers([Peer(2, ()), Peer(3, ())], [], 1)
        b.knows(a)
        c.knows(a)
        await until(lambda: connected(a, b))
        await never_connected(c)


async def test_renewed_certificates_are_used_without_a_restart(authority: PeerAuthority, tmp_path: Path) -> None:
    a, b = End(1, authority.issue("a")), End(2, authority.issue("b"))
    async with running(a, b, mesh=False):
        new = PeerAuthority(tmp_path / "new")
        new.issue("a")
        new.issue("b")
        for file in (tmp_path / "new").iterdir():
            file.replace(tmp_path / "pki" / file.name)
        a.knows(b)
        b.knows(a)
        await until(lambda: connected(a, b) and connected(b, a))


async def test_an_address_that_needs_certificates_without_them() -> None:
    a = End(1, url="https://127.0.0.1:0")
    with pytest.raises(ValueError, match="--peer-cert-file"):
        await a.transport.start(a.received)
    await a.transport.stop()


async def test_an_address_in_use() -> None:
    a = End(1)
    async with running(a, mesh=False):
        b = End(2, url=a.url)
        with pytest.raises(OSError, match="cannot listen"):
            await b.transport.start(b.received)
        await b.transport.stop()
