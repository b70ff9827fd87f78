"""The connection that a session or a watch has for itself, without gRPC's library.

Most of what a message costs the caller there is the crossing between that library's threads and the loop.
"""

from __future__ import annotations

import ssl
from typing import TypeAlias

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.pb.store.v1 import session_pb2
from kubeactors.rpc.client import ClientStream
from kubeactors.store.client.channel import WANT_LEADER, TlsFiles, target

SessionStream: TypeAlias = ClientStream[session_pb2.CallFrame, session_pb2.ReplyFrame]
WatchStream: TypeAlias = ClientStream[rpc_pb2.WatchRequest, rpc_pb2.WatchResponse]

SESSION_PATH, WATCH_PATH = "/kubeactors.store.v1.Session/Open", "/etcdserverpb.Watch/Watch"
SESSION_SILENCE, SESSION_ANSWER = 1.0, 2.0
"""A member that says nothing is asked for a sign of life within twice the first, and given up after the second."""
WATCH_SILENCE, WATCH_ANSWER = 3.0, 4.0
"""The same for a watch. An etcd closes the connection of whoever asks more often than every 5 s
(--grpc-keepalive-min-time); between two questions lies twice the silence."""


async def open_session(endpoint: str, tls: TlsFiles | None) -> SessionStream:
    """TLS unless `tls` is None or the endpoint says http. Raises OSError, ValueError."""
    url, context = _address(endpoint, tls)
    parse = session_pb2.ReplyFrame.FromString
    return await SessionStream.open(url, context, SESSION_PATH, parse, SESSION_SILENCE, SESSION_ANSWER)


async def open_watch(endpoint: str, tls: TlsFiles | None) -> WatchStream:
    """As `open_session`. Also an etcd serves it."""
    url, context = _address(endpoint, tls)
    parse = rpc_pb2.WatchResponse.FromString
    return await WatchStream.open(url, context, WATCH_PATH, parse, WATCH_SILENCE, WATCH_ANSWER, WANT_LEADER)


def _address(endpoint: str, tls: TlsFiles | None) -> tuple[str, ssl.SSLContext | None]:
    if tls is None and endpoint.startswith("https://"):
        raise ValueError(f"store endpoint {endpoint!r} needs TLS files")
    secured = tls is not None and not endpoint.startswith("http://")
    context = tls.context() if tls is not None and secured else None
    return f"{'https' if secured else 'http'}://{target(endpoint)}", context
