"""How a client reaches a member: addresses, certificates, gRPC's settings."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import grpc.aio


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files. `ca` signs the members' certificates; `cert` and `key` are the client's own."""

    ca: str
    cert: str
    key: str

    def credentials(self) -> grpc.ChannelCredentials:
        """Read anew for every connection, so that renewed certificates are used. Raises OSError."""
        return grpc.ssl_channel_credentials(
            Path(self.ca).read_bytes(), Path(self.key).read_bytes(), Path(self.cert).read_bytes()
        )

    def context(self) -> ssl.SSLContext:
        """As `credentials`, for connections that do without gRPC's library. Raises OSError, ssl.SSLError among them."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols(["h2"])
        return context


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A member that says nothing for `idle_ms` is asked whether it lives, and given up `answer_ms` later."""

    idle_ms: int
    answer_ms: int


ETCD_KEEPALIVE = Keepalive(6_000, 4_000)
"""An etcd closes the connection of whoever asks more often than every 5 s (--grpc-keepalive-min-time)."""
WANT_LEADER = (("hasleader", "true"),)
"""Metadata by which a member that knows no leader turns a call away at once, and ends a watch after a while."""

_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.max_pings_without_data", 0),
    # Each connection backs off by our own rule and not by what another channel to the same address has met.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long one attempt may take, TLS included: on a busy machine a handshake takes more than a moment.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
    # Writing large frames whole costs fewer system calls than gRPC's small default.
    ("grpc.http2.max_frame_size", 1 << 20),
]


def target(endpoint: str) -> str:
    """`https://host:port`, `http://host:port` or `host:port` as gRPC's target. Raises ValueError."""
    if "://" not in endpoint:
        return endpoint
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname or url.port is None:
        raise ValueError(f"store endpoint {endpoint!r} is not http(s)://host:port")
    return url.netloc


def open_channel(endpoint: str, tls: TlsFiles | None, keepalive: Keepalive = ETCD_KEEPALIVE) -> grpc.aio.Channel:
    """A channel to one member; TLS unless `tls` is None or the endpoint says http. Raises OSError, ValueError."""
    options = [
        *_OPTIONS,
        ("grpc.keepalive_time_ms", keepalive.idle_ms),
        ("grpc.keepalive_timeout_ms", keepalive.answer_ms),
        # Pings that gRPC sends to measure the line have a timeout of their own, a minute by default.
        ("grpc.http2.ping_timeout_ms", keepalive.answer_ms),
    ]
    if tls is None or endpoint.startswith("http://"):
        if endpoint.startswith("https://"):
            raise ValueError(f"store endpoint {endpoint!r} needs TLS files")
        return grpc.aio.insecure_channel(target(endpoint), options=options)
    return grpc.aio.secure_channel(target(endpoint), tls.credentials(), options=options)
