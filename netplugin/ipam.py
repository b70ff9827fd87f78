"""Addresses for pods out of the node's ranges.

The choice is a pure function over the leases; a file keeps the leases across restarts. The file is replaced as a
whole (rename), so a crash at any point leaves the old or the new leases, and a lock file serialises processes (a node
agent and CNI executables).

A released address is not given again for a while: peers may still send to it. Addresses go round the range rather
than to the lowest free one for the same reason.
"""

import contextlib
import fcntl
import ipaddress
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from netplugin.interface import NetworkError

IPv4 = ipaddress.IPv4Address
Range = ipaddress.IPv4Network


@dataclass(frozen=True)
class Lease:
    """An address that a pod has, or had until `released` (seconds since the epoch)."""

    address: str
    uid: str
    granted: float
    released: float | None = None


Leases = dict[str, Lease]  # by address


class RangeExhausted(NetworkError):
    """Every address of the range is in use."""


def gateway(node_range: Range) -> IPv4:
    """The bridge's own address: the first one, as CNI's bridge plugin takes."""
    return node_range[1]


def lease_of(leases: Leases, uid: str, node_range: Range) -> Lease | None:
    """The lease that a pod holds in this range."""
    for lease in leases.values():
        if lease.uid == uid and lease.released is None and IPv4(lease.address) in node_range:
            return lease
    return None


def allocate(leases: Leases, uid: str, node_range: Range, now: float, reuse_delay: float) -> Lease:
    """The address that `uid` gets: its own if it has one, else the next free one round the range.

    Addresses released less than `reuse_delay` seconds ago are taken only when nothing else is left, the longest
    released first.
    Raises RangeExhausted.
    """
    held = lease_of(leases, uid, node_range)
    if held is not None:
        return held
    latest = max(
        (le for le in leases.values() if IPv4(le.address) in node_range), key=lambda le: le.granted, default=None
    )
    # Without network address, gateway and broadcast address.
    usable = node_range.num_addresses - 3
    if usable < 1:
        raise RangeExhausted(f"range {node_range} is too small for pods")
    start = int(IPv4(latest.address)) - int(node_range[2]) + 1 if latest is not None else 0
    cooling: list[Lease] = []
    for step in range(usable):
        address = str(node_range[2 + (start + step) % usable])
        lease = leases.get(address)
        if lease is None or (lease.released is not None and not 0 <= now - lease.released < reuse_delay):
            return Lease(address, uid, now)
        if lease.released is not None:
            cooling.append(lease)
    if cooling:
        return Lease(min(cooling, key=lambda le: le.released or 0.0).address, uid, now)
    raise RangeExhausted(f"no address is free in range {node_range}: all {usable} are in use")


def release(leases: Leases, uid: str, now: float) -> list[Lease]:
    """The leases of `uid` in their released form."""
    return [replace(lease, released=now) for lease in leases.values() if lease.uid == uid and lease.released is None]


class AddressPool:
    """The leases of one node, in a file. Blocking (sub-millisecond): call from worker threads.

    `clock` gives seconds since the epoch (leases outlive processes, so not a monotonic clock).
    """

    def __init__(self, directory: Path, clock: Callable[[], float], reuse_delay: float) -> None:
        self._path = directory / "leases.json"
        self._lock_path = directory / "leases.lock"
        self._clock = clock
        self._reuse_delay = reuse_delay

    def allocate(self, uid: str, ranges: Sequence[Range]) -> tuple[str, ...]:
        """One address of each range; all or none. Raises RangeExhausted."""
        with self._locked():
            leases = self._load()
            granted = [allocate(leases, uid, node_range, self._clock(), self._reuse_delay) for node_range in ranges]
            if any(leases.get(lease.address) != lease for lease in granted):
                leases.update({lease.address: lease for lease in granted})
                self._save(leases)
            return tuple(lease.address for lease in granted)

    def release(self, uid: str) -> None:
        """Give the pod's addresses back. Idempotent."""
        with self._locked():
            leases = self._load()
            released = release(leases, uid, self._clock())
            if released:
                leases.update({lease.address: lease for lease in released})
                self._save(leases)

    def holders(self) -> dict[str, tuple[str, ...]]:
        """Addresses by the uid that holds them."""
        found: dict[str, tuple[str, ...]] = {}
        with self._locked():
            for lease in self._load().values():
                if lease.released is None:
                    found[lease.uid] = (*found.get(lease.uid, ()), lease.address)
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _load(self) -> Leases:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return {entry["address"]: Lease(**entry) for entry in orjson.loads(data)}
        except (ValueError, TypeError, KeyError) as error:
            raise NetworkError(f"the file of address leases {self._path} cannot be read: {error}") from error

    def _save(self, leases: Leases) -> None:
        temporary = self._path.with_suffix(".tmp")
        temporary.write_bytes(orjson.dumps(list(leases.values())))
        temporary.replace(self._path)
