"""The store's client: `StoreClient`, `ops` which builds transactions, and the client's answers and errors."""

from kubeactors.store.client import ops
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.client.client import StoreClient
from kubeactors.store.client.results import (
    DeleteResult,
    Event,
    KeyValue,
    LeaseGranted,
    LeaseTimeToLive,
    MemberInfo,
    MemberStatus,
    PutResult,
    RangeResult,
    TxnResult,
    WatchBatch,
)
from kubeactors.store.client.watch import Watch
from kubeactors.store.errors import (
    Compacted,
    FutureRevision,
    LeaseNotFound,
    RequestTooLarge,
    StoreError,
    StoreUnavailable,
)
from kubeactors.store.keys import prefix_end

__all__ = [
    "Compacted",
    "DeleteResult",
    "Event",
    "FutureRevision",
    "KeyValue",
    "LeaseGranted",
    "LeaseNotFound",
    "LeaseTimeToLive",
    "MemberInfo",
    "MemberStatus",
    "PutResult",
    "RangeResult",
    "RequestTooLarge",
    "StoreClient",
    "StoreError",
    "StoreUnavailable",
    "TlsFiles",
    "TxnResult",
    "Watch",
    "WatchBatch",
    "ops",
    "prefix_end",
]
