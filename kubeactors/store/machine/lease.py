"""Leases: which exist, and until when by cluster time.

Cluster time is milliseconds that pass only while there is a primary: every entry carries the primary's reading, a new
primary goes on from the last applied one. So expiry is the same decision on every member, survives a change of primary,
and time in which nobody could have kept a lease alive does not count against it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from kubeactors.store.errors import LeaseExists, LeaseNotFound, LeaseTtlTooLarge

MAX_TTL = 9_000_000_000
"""Seconds, as in etcd."""


@dataclass(slots=True)
class Lease:
    """`ttl` in seconds, `expiry` in milliseconds of cluster time."""

    id: int
    ttl: int
    expiry: int


class LeaseTable:
    def __init__(self) -> None:
        self._leases: dict[int, Lease] = {}
        # (expiry, id), one for each grant and renewal; entries that a renewal or revocation outdated are skipped.
        self._expiries: list[tuple[int, int]] = []

    def __contains__(self, lease_id: object) -> bool:
        return lease_id in self._leases

    def get(self, lease_id: int) -> Lease | None:
        return self._leases.get(lease_id)

    def all(self) -> list[Lease]:
        return sorted(self._leases.values(), key=lambda lease: lease.id)

    def grant(self, lease_id: int, ttl: int, now: int) -> Lease:
        """Raises LeaseExists, LeaseTtlTooLarge."""
        if ttl > MAX_TTL:
            raise LeaseTtlTooLarge
        if lease_id in self._leases:
            raise LeaseExists
        return self.add(Lease(lease_id, ttl, now + ttl * 1000))

    def add(self, lease: Lease) -> Lease:
        self._leases[lease.id] = lease
        heapq.heappush(self._expiries, (lease.expiry, lease.id))
        return lease

    def keep_alive(self, lease_id: int, now: int) -> Lease:
        """Raises LeaseNotFound."""
        lease = self._leases.get(lease_id)
        if lease is None:
            raise LeaseNotFound
        lease.expiry = now + lease.ttl * 1000
        heapq.heappush(self._expiries, (lease.expiry, lease.id))
        return lease

    def revoke(self, lease_id: int) -> None:
        """Raises LeaseNotFound."""
        if self._leases.pop(lease_id, None) is None:
            raise LeaseNotFound

    def next_expiry(self) -> int | None:
        """When the next lease runs out, None without leases."""
        while self._expiries:
            expiry, lease_id = self._expiries[0]
            lease = self._leases.get(lease_id)
            if lease is not None and lease.expiry == expiry:
                return expiry
            heapq.heappop(self._expiries)
        return None

    def expired(self, now: int) -> list[int]:
        """Ids of the leases that have run out. A lease named once is not named again until it is renewed or `rearm`."""
        found: list[int] = []
        while (expiry := self.next_expiry()) is not None and expiry <= now:
            found.append(heapq.heappop(self._expiries)[1])
        return found

    def rearm(self) -> None:
        """Let `expired` name every lease anew: for a new primary, whose predecessor may have seen some expire."""
        self._expiries = [(lease.expiry, lease.id) for lease in self._leases.values()]
        heapq.heapify(self._expiries)
