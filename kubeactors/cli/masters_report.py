"""What each master's store member and API server say when asked directly: for `kubeactors status`, without Ray."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState
from kubeactors.client.tls import TlsConfig
from kubeactors.pki.cluster import ClusterPki
from kubeactors.store.client import StoreClient, TlsFiles
from kubeactors.store.client.results import MemberStatus
from kubeactors.store.errors import StoreError

TIMEOUT = 3.0
"""Seconds for each answer; all are asked at once."""


@dataclass(frozen=True)
class Access:
    """The certificates that this machine has: an administrator's on a master, a node's elsewhere."""

    api: TlsConfig
    store: TlsFiles | None

    @classmethod
    def of(cls, paths: Paths) -> Access | None:
        """None on a machine that has none."""
        pki = ClusterPki(paths.pki)
        if pki.certificate("admin").exists():
            store = TlsFiles(
                str(pki.store_ca),
                str(pki.certificate("apiserver-etcd-client")),
                str(pki.key("apiserver-etcd-client")),
            )
            return cls(TlsConfig(pki.ca, pki.certificate("admin"), pki.key("admin")), store)
        node = paths.node_pki
        if (node / "node.crt").exists():
            return cls(TlsConfig(node / "ca.crt", node / "node.crt", node / "node.key"), None)
        return None


async def masters(config: ClusterConfig, state: ClusterState, access: Access | None) -> list[dict[str, Any]]:
    """Each master with its name, its address, its API server ("ok" or what is wrong) and its store member."""
    answers, members = await asyncio.gather(
        asyncio.gather(*(_api_server(config, address, access) for address in state.masters)),
        _members(config, state, access),
    )
    return [
        {"name": state.name(address), "address": address, "apiserver": answer, "store": member}
        for address, answer, member in zip(state.masters, answers, members, strict=True)
    ]


async def _members(config: ClusterConfig, state: ClusterState, access: Access | None) -> list[dict[str, Any]]:
    """What is known of each master's store member; `note` says why this machine cannot know."""
    if config.external_store:
        return [{"problem": "", "note": f"etcd at {config.store_endpoints}"}] * len(state.masters)
    if access is None or access.store is None:
        return [{"problem": "", "note": "known on masters only"}] * len(state.masters)
    members = await asyncio.gather(*(_member(config, address, access) for address in state.masters))
    newest = max((member.revision for member in members if isinstance(member, MemberStatus)), default=0)
    return [_shown(member, newest) for member in members]


async def _api_server(config: ClusterConfig, address: str, access: Access | None) -> str:
    if access is None:
        return "this machine has no certificate of the cluster"
    try:
        context = await asyncio.to_thread(_context, access.api)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"https://{address}:{config.https_port}/readyz?verbose", ssl=context) as answer,
        ):
            text = await answer.text()
    except TimeoutError:
        return f"no answer within {TIMEOUT:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return str(error)
    failed = [line.split()[0].removeprefix("[-]") for line in text.splitlines() if line.startswith("[-]")]
    return "ok" if answer.status == 200 else f"not ready: {', '.join(failed) or answer.reason}"


def _context(tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


async def _member(config: ClusterConfig, address: str, access: Access) -> MemberStatus | str:
    assert access.store is not None
    client = StoreClient([f"https://{address}:{config.store_port}"], access.store, timeout=TIMEOUT)
    try:
        async with asyncio.timeout(TIMEOUT):
            return await client.status()
    except TimeoutError:
        return f"no answer within {TIMEOUT:g} s"
    except (StoreError, OSError) as error:
        return str(error)
    finally:
        await client.close()


def _shown(member: MemberStatus | str, newest: int) -> dict[str, Any]:
    if isinstance(member, str):
        return {"problem": member}
    problem = "; ".join(member.errors) if member.leader_id else "it has no leader"
    return {
        "problem": problem,
        "member": f"{member.member_id:x}",
        "leader": member.leader_id == member.member_id,
        "term": member.term,
        "index": member.index,
        "applied": member.applied_index,
        "revision": member.revision,
        "lag": newest - member.revision,
    }


def ready_addresses(report: Sequence[dict[str, Any]]) -> list[str]:
    """Of masters whose API server is ready."""
    return [master["address"] for master in report if master["apiserver"] == "ok"]
