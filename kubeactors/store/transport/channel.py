"""How members reach each other: addresses, certificates, gRPC's settings for both ends."""

from __future__ import annotations

from urllib.parse import urlsplit

import grpc
import grpc.aio

from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.tls import server_credentials

KEEPALIVE_MS = 2_000
KEEPALIVE_TIMEOUT_MS = 3_000
"""A peer that says nothing is asked after the first, and given up after the second. A connection on which Raft's
heartbeats come is never asked. gRPC's core answers by itself, so a busy interpreter does not look dead."""

_COMMON: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    # Pings that gRPC sends to measure the line have a timeout of their own, a minute by default.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.max_frame_size", 1 << 20),
]
_CLIENT: list[tuple[str, int]] = [
    *_COMMON,
    # A channel of its own to every peer and for every snapshot, whatever others to the same address meet.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
]
SERVER_OPTIONS: list[tuple[str, int]] = [
    *_COMMON,
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.http2.max_ping_strikes", 0),
]


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


def listen(server: grpc.aio.Server, url: str, tls: TlsFiles | None) -> str:
    """The URL with the port that was taken. Raises OSError, ValueError."""
    check_url(url, tls, "--listen-peer-urls")
    parts = urlsplit(url)
    try:
        if parts.scheme == "https" and tls is not None:
            port = server.add_secure_port(parts.netloc, server_credentials(tls))
        else:
            port = server.add_insecure_port(parts.netloc)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {url}: {error}") from error
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
