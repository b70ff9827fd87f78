"""A member's configuration; names and defaults follow etcd's flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.node import NodeConfig
from kubeactors.store.wal.log import SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """`listen_client_urls`: https://host:port (needs `tls`) or http://host:port; port 0 takes a free one.
    `progress_interval`: seconds without events after which watches that asked for it hear how far they have come."""

    name: str
    data_dir: Path
    listen_client_urls: tuple[str, ...]
    tls: TlsFiles | None = None
    advertise_client_urls: tuple[str, ...] = ()
    node: NodeConfig = field(default_factory=NodeConfig)
    max_txn_ops: int = 128
    progress_interval: float = 600.0
    segment_bytes: int = SEGMENT_BYTES
