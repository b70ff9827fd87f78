"""The connection that a session has for itself, without gRPC's library: half of what a lone call costs the caller."""

from __future__ import annotations

from typing import TypeAlias

from kubeactors.pb.store.v1 import session_pb2
from kubeactors.store.client.channel import TlsFiles, target
from kubeactors.store.rpc.client import ClientStream

SessionStream: TypeAlias = ClientStream[session_pb2.CallFrame, session_pb2.ReplyFrame]

PATH = "/kubeactors.store.v1.Session/Open"
SILENCE_SECONDS, ANSWER_SECONDS = 1.0, 2.0
"""A member that says nothing is asked for a sign of life within twice the first, and given up after the second."""


async def open_session(endpoint: str, tls: TlsFiles | None) -> SessionStream:
    """TLS unless `tls` is None or the endpoint says http. Raises OSError, ValueError."""
    if tls is None and endpoint.startswith("https://"):
        raise ValueError(f"store endpoint {endpoint!r} needs TLS files")
    secured = tls is not None and not endpoint.startswith("http://")
    context = tls.context() if tls is not None and secured else None
    url = f"{'https' if secured else 'http'}://{target(endpoint)}"
    parse = session_pb2.ReplyFrame.FromString
    return await SessionStream.open(url, context, PATH, parse, SILENCE_SECONDS, ANSWER_SECONDS)
