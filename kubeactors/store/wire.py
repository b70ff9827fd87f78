"""Records as the messages of etcd's API."""

from __future__ import annotations

from kubeactors.pb.etcd import kv_pb2, rpc_pb2
from kubeactors.store.mvcc.range import Found
from kubeactors.store.mvcc.record import Change, Record


def fill_key_value(kv: kv_pb2.KeyValue, record: Record) -> None:
    kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease, _ = record


def fill_range(response: rpc_pb2.RangeResponse, found: Found, keys_only: bool) -> None:
    add = response.kvs.add
    for key, value, create, mod, version, lease, _ in found.records:
        add(
            key=key,
            value=b"" if keys_only else value,
            create_revision=create,
            mod_revision=mod,
            version=version,
            lease=lease,
        )
    response.count = found.total
    response.more = found.more


def fill_event(event: kv_pb2.Event, change: Change, prev_kv: bool) -> None:
    record, previous = change
    if record[4]:
        fill_key_value(event.kv, record)
    else:
        event.type = kv_pb2.Event.DELETE
        event.kv.key = record[0]
        event.kv.mod_revision = record[3]
    if prev_kv and previous is not None:
        fill_key_value(event.prev_kv, previous)
