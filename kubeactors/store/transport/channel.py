"""How members reach each other: addresses, certificates, gRPC's settings for both ends."""

from __future__ import annotations

from urllib.parse import urlsplit

import grpc
import grpc.aio

from kubeactors.pb.raft.v1 import raft_pb2
from kubeactors.rpc.client import ClientStream
from kubeactors.rpc.frames import MAX_WINDOW
from kubeactors.rpc.server import RpcServer
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.tls import server_context

SILENCE_SECONDS = 2.0
"""A peer that says nothing for so long is asked for a sign of life, and given up three seconds later. A connection on
which Raft's heartbeats come is never asked."""

CONNECT_PATH = "/kubeactors.raft.v1.Raft/Connect"

# For what is asked besides the one stream: snapshots, and what a member that joins wants to know.
_CLIENT: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    # Pings that gRPC sends to measure the line have a timeout of their own, a minute by default.
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_frame_size", 1 << 20),
    # A channel of its own to every peer and for every snapshot, whatever others to the same address meet.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
]

PeerStream = ClientStream[raft_pb2.Frame, raft_pb2.Frame]


def check_url(url: str, tls: TlsFiles | None, flag: str) -> None:
    """Raises ValueError: it is no peer's address, or https without certificates."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port is None or parts.path not in ("", "/"):
        raise ValueError(f"{flag}: {url!r} is not http(s)://host:port")
    if parts.scheme == "https" and tls is None:
        raise ValueError(f"{flag}: {url!r} needs --peer-cert-file, --peer-key-file and --peer-trusted-ca-file")


def open_channel(url: str, tls: TlsFiles | None) -> grpc.aio.Channel:
    """Certificates are read anew, so that renewed ones are used. Raises OSError, ValueError."""
    check_url(url, tls, "peer URL")
    parts = urlsplit(url)
    if parts.scheme == "http" or tls is None:
        return grpc.aio.insecure_channel(parts.netloc, options=_CLIENT)
    return grpc.aio.secure_channel(parts.netloc, tls.credentials(), options=_CLIENT)


async def open_stream(url: str, tls: TlsFiles | None) -> PeerStream:
    """The one stream to a peer. Certificates are read anew, as above. Raises OSError, ValueError."""
    check_url(url, tls, "peer URL")
    context = tls.context() if tls is not None and url.startswith("https:") else None
    return await PeerStream.open(url, context, CONNECT_PATH, raft_pb2.Frame.FromString, SILENCE_SECONDS)


def make_server() -> RpcServer:
    return RpcServer(MAX_WINDOW, SILENCE_SECONDS)


async def listen(server: RpcServer, url: str, tls: TlsFiles | None) -> str:
    """The URL with the port that was taken. Raises OSError, ValueError."""
    check_url(url, tls, "--listen-peer-urls")
    parts = urlsplit(url)
    context = server_context(tls) if tls is not None and parts.scheme == "https" else None
    assert parts.hostname is not None and parts.port is not None  # check_url saw them
    try:
        port = await server.listen(parts.hostname, parts.port, context)
    except OSError as error:
        raise OSError(f"cannot listen on {url}: {error}") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
