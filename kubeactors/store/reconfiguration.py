"""Which changes of membership are refused because they would leave the cluster without a quorum: pure, etcd's rules.

From etcd v3.5, server/etcdserver: server.go (mayAddMember and the like) and api/membership/cluster.go; what etcd calls
--strict-reconfig-check, always on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from kubeactors.store.errors import BadMemberUrls, NotEnoughStarted, Unhealthy
from kubeactors.store.machine.membership import Member, Membership

HEALTHY_SECONDS = 5.0
"""For how long a member must have been connected before another voter is added."""

# Seconds for which this member has been connected to another one; None when it is not.
ConnectedFor = Callable[[int], float | None]


def check_urls(urls: Iterable[str]) -> None:
    """Raises BadMemberUrls for what is no list of scheme://host:port."""
    urls = list(urls)
    if not urls or not all(map(_usable, urls)):
        raise BadMemberUrls


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port is not None
            and not parts.path
            and not parts.query
            and not parts.fragment
        )
    except ValueError:
        return False


def check_add(membership: Membership, learner: bool, self_id: int, connected_for: ConnectedFor) -> None:
    """Raises NotEnoughStarted, Unhealthy."""
    if learner:
        return
    voters = _voters(membership)
    started = sum(map(_is_started, voters))
    members = len(voters) + 1
    # One that becomes two: there is no other way to grow.
    if not (started == 1 and members == 2) and started < members // 2 + 1:
        raise NotEnoughStarted
    for voter in voters:
        if voter.id != self_id and (connected_for(voter.id) or 0.0) < HEALTHY_SECONDS:
            raise Unhealthy


def check_remove(membership: Membership, member: int, self_id: int, connected_for: ConnectedFor) -> None:
    """Raises NotEnoughStarted, Unhealthy. Who is no member, or none that votes, may go."""
    present = membership.get(member)
    if present is not None and present.learner:
        return
    others = [voter for voter in _voters(membership) if voter.id != member]
    if sum(map(_is_started, others)) < len(others) // 2 + 1:
        raise NotEnoughStarted
    if member != self_id and connected_for(member) is None:
        return  # it is down already
    voters = _voters(membership)
    active = sum(1 for voter in voters if voter.id == self_id or connected_for(voter.id) is not None)
    if active - 1 < 1 + (len(voters) - 1) // 2:
        raise Unhealthy


def check_promote(membership: Membership, member: int) -> None:
    """Raises NotEnoughStarted. That the learner is in sync is for the leader to know."""
    present = membership.get(member)
    if present is None or not present.learner:
        return  # which is said when it is carried out
    others = _voters(membership)
    started = sum(map(_is_started, others)) + 1  # a learner that is in sync has been started
    if started < (len(others) + 1) // 2 + 1:
        raise NotEnoughStarted


def _voters(membership: Membership) -> list[Member]:
    return [member for member in membership.all() if not member.learner]


def _is_started(member: Member) -> bool:
    return bool(member.name)
