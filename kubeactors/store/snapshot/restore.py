"""A snapshot back into a state."""

from __future__ import annotations

from collections.abc import Iterator

from kubeactors.store.errors import CorruptData
from kubeactors.store.machine.alarm import AlarmTable
from kubeactors.store.machine.lease import Lease, LeaseTable
from kubeactors.store.machine.machine import StateMachine
from kubeactors.store.machine.membership import Membership
from kubeactors.store.snapshot.file import SnapshotReader, Tag


def restore(machine: StateMachine, reader: SnapshotReader) -> Iterator[None]:
    """Give the machine the snapshot's state in the place of its own, in steps of some milliseconds.

    Until the end nobody may read or change it. Raises CorruptData, OSError; then it is of no use any more.
    """
    head = reader.head
    try:
        membership = Membership.restored(head.membership)
        yield from machine.mvcc.restore(
            head.revision,
            head.compact_revision,
            reader.records(Tag.BASE),
            reader.records(Tag.BOUNDARY),
            reader.records(Tag.AFTER),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"{reader.path}: {error}") from error
    leases = LeaseTable()
    for lease_id, ttl, expiry in head.leases:
        leases.add(Lease(lease_id, ttl, expiry))
    machine.leases = leases
    machine.alarms = AlarmTable(head.alarms)
    machine.membership = membership
    machine.applied_index, machine.applied_term, machine.time = head.index, head.term, head.time
