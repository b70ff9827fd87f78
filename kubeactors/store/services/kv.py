"""etcdserverpb.KV: one call, one answer, and no task for it: these are the calls that there are thousands of."""

from __future__ import annotations

from functools import partial

from google.protobuf.message import Message

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.rpc.headers import Metadata
from kubeactors.rpc.server import RpcServer
from kubeactors.rpc.stream import Direct
from kubeactors.store.api import StoreApi
from kubeactors.store.errors import StoreError
from kubeactors.store.services import leader

_METHODS: dict[str, tuple[str, type[Message]]] = {
    "Range": ("range", rpc_pb2.RangeRequest),
    "Put": ("put", rpc_pb2.PutRequest),
    "DeleteRange": ("delete_range", rpc_pb2.DeleteRangeRequest),
    "Txn": ("txn", rpc_pb2.TxnRequest),
    "Compact": ("compact", rpc_pb2.CompactionRequest),
}


def add_kv(api: StoreApi, server: RpcServer) -> None:
    def admit(request: Message, metadata: Metadata) -> StoreError | None:
        by_learner = isinstance(request, rpc_pb2.RangeRequest) and request.serializable
        return leader.refusal(api.node, metadata, by_learner=by_learner)

    for name, (field, request) in _METHODS.items():
        direct = Direct(request.FromString, partial(api.submit, field), StoreError, admit)
        server.add_direct(f"/etcdserverpb.KV/{name}", direct)
