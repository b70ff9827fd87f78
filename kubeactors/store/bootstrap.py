"""How a member comes to its first data: as one of a new cluster, or by joining one that runs. etcd's rules
(v3.5, server/etcdserver/bootstrap.go, api/membership/cluster.go)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

from kubeactors.store.config import MemberConfig
from kubeactors.store.storage import Bootstrap, new_cluster
from kubeactors.store.transport import discovery
from kubeactors.store.transport.interface import ClusterRecord

logger = logging.getLogger(__name__)

ASK_SECONDS = 2.0
JOIN_SECONDS = 20.0
RETRY_SECONDS = 0.5


class CannotJoin(Exception):
    """The cluster does not take this member as it was started. The text says why."""


async def prepare(config: MemberConfig, has_data: bool) -> Bootstrap | None:
    """What an empty directory begins with; None: with what is there. Raises CannotJoin, ValueError.

    A member whose first write was cut off has data that say nothing yet: it, too, begins as its flags say.
    """
    if not config.new_cluster:
        return None if has_data else await _join(config)
    begin = new_cluster(config.first_members, config.initial_cluster_token, config.name)
    if has_data:
        return begin
    answers, _ = await discovery.ask(_others(config), config.peer_tls, ASK_SECONDS)
    for url, cluster in answers.items():
        if cluster.cluster_id == begin.cluster_id:
            _refuse_if_known(cluster, begin.member_id, url)
    return begin


async def check_peers(config: MemberConfig, cluster_id: int, member_id: int, urls: Iterable[str]) -> None:
    """Data of one cluster among the members of another must not be served. Raises CannotJoin.

    `urls`: where other members are, as the data say; the flags' are asked too. Who does not answer says nothing.
    """
    others = ({*urls} | {*_others(config)}) - {*config.peer_urls}
    answers, _ = await discovery.ask(others, config.peer_tls, ASK_SECONDS)
    for url, cluster in answers.items():
        if cluster.cluster_id != cluster_id:
            raise CannotJoin(
                f"the data in {config.data_dir} are of cluster {cluster_id:x}, "
                f"but the member at {url} is of cluster {cluster.cluster_id:x}"
            )
        if member_id in cluster.removed:
            raise CannotJoin(removed_text(member_id))


def removed_text(member_id: int) -> str:
    return (
        f"the member {member_id:x} has been permanently removed from the cluster; "
        "its data directory must be removed before this machine can join again"
    )


def _refuse_if_known(cluster: ClusterRecord, member_id: int, url: str) -> None:
    """A member that has lost its data must not vote again as if it had promised nothing."""
    if member_id in cluster.removed:
        raise CannotJoin(removed_text(member_id))
    for member in cluster.members:
        if member.id == member_id and member.client_urls:
            raise CannotJoin(
                f"member {member_id:x} has already been bootstrapped, says the member at {url}: remove it from the "
                "cluster and add it anew, with --initial-cluster-state existing"
            )


async def _join(config: MemberConfig) -> Bootstrap:
    others = _others(config)
    if not others:
        raise CannotJoin("--initial-cluster-state existing: --initial-cluster names no other member to ask")
    deadline = asyncio.get_running_loop().time() + JOIN_SECONDS
    while True:
        answers, problems = await discovery.ask(others, config.peer_tls, ASK_SECONDS)
        mismatch = ""
        for url, cluster in answers.items():
            try:
                return assign(cluster, config.first_members, config.name)
            except CannotJoin as error:  # the member asked may not have heard of this one yet
                mismatch = f"{url}: {error}"
        if asyncio.get_running_loop().time() > deadline:
            said = "; ".join(f"{url}: {text}" for url, text in problems.items())
            raise CannotJoin(mismatch or f"no member of the cluster tells about it: {said}")
        await asyncio.sleep(RETRY_SECONDS)


def assign(cluster: ClusterRecord, initial: Mapping[str, Sequence[str]], name: str) -> Bootstrap:
    """This member's id in a running cluster: the one that has its peer URLs. Raises CannotJoin."""
    if len(cluster.members) != len(initial):
        raise CannotJoin(
            f"member count is unequal: --initial-cluster names {len(initial)}, the cluster has {len(cluster.members)}"
        )
    by_urls = {frozenset(member.peer_urls): member for member in cluster.members}
    for other, urls in initial.items():
        if frozenset(urls) not in by_urls:
            raise CannotJoin(f"--initial-cluster: the cluster has no member at {', '.join(urls)} ({other})")
    own = by_urls[frozenset(initial[name])]
    if own.id in cluster.removed:
        raise CannotJoin(removed_text(own.id))
    if own.client_urls:
        raise CannotJoin(
            f"member {own.id:x} has been started before, and its data are not here: remove it and add it anew"
        )
    return Bootstrap(cluster.cluster_id, own.id)


def _others(config: MemberConfig) -> list[str]:
    return [url for name, urls in config.first_members.items() if name != config.name for url in urls]
