"""A member's configuration; names and defaults follow etcd's flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.compactor import parse_retention
from kubeactors.store.node import NodeConfig
from kubeactors.store.transport.certificate import PeerRules
from kubeactors.store.wal.log import SEGMENT_BYTES

ALONE = ("http://localhost:2380",)
"""The peer URL of a member that was told none: what etcd takes, and what ids are then made from."""

MAX_ELECTION_MS = 50_000


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """`listen_client_urls`: https://host:port (needs `tls`) or http://host:port; port 0 takes a free one.
    `listen_peer_urls`: the same with `peer_tls`, for other members; none: it stays alone.
    `advertise_peer_urls`: where others reach it, and what its id is made from; default: the ones listened on.
    `initial_cluster`: each first member's peer URLs by name; default: this one alone. It counts only where there are no
    data yet, as do `initial_cluster_token` and `new_cluster` (False: it joins a cluster that runs).
    `heartbeat_ms`, `election_ms`: how often a leader is heard of, and after how long without one an election may begin.
    `quota_bytes`: 0: etcd's default; below: none. `auto_compaction_*`: as the flags of etcd.
    `progress_interval`: seconds without events after which watches that asked for it hear how far they have come."""

    name: str
    data_dir: Path
    listen_client_urls: tuple[str, ...]
    tls: TlsFiles | None = None
    advertise_client_urls: tuple[str, ...] = ()
    listen_peer_urls: tuple[str, ...] = ()
    advertise_peer_urls: tuple[str, ...] = ()
    peer_tls: TlsFiles | None = None
    peer_rules: PeerRules = field(default_factory=PeerRules)
    initial_cluster: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    initial_cluster_token: str = "etcd-cluster"
    new_cluster: bool = True
    force_new_cluster: bool = False
    heartbeat_ms: int = 100
    election_ms: int = 1000
    quota_bytes: int = 0
    auto_compaction_mode: str = "periodic"
    auto_compaction_retention: str = "0"
    node: NodeConfig = field(default_factory=NodeConfig)
    max_txn_ops: int = 128
    progress_interval: float = 600.0
    segment_bytes: int = SEGMENT_BYTES

    @property
    def peer_urls(self) -> tuple[str, ...]:
        return self.advertise_peer_urls or self.listen_peer_urls or ALONE

    @property
    def first_members(self) -> Mapping[str, tuple[str, ...]]:
        return self.initial_cluster or {self.name: self.peer_urls}

    def check(self) -> None:
        """Raises ValueError for flags that contradict each other, in etcd's words where it has them."""
        own = self.first_members.get(self.name)
        if own is None:
            raise ValueError(f"couldn't find local name {self.name!r} in the initial cluster configuration")
        if set(own) != set(self.peer_urls):
            raise ValueError(
                f"--initial-cluster has {self.name}={','.join(own)} but "
                f"--initial-advertise-peer-urls is {','.join(self.peer_urls)}"
            )
        if self.heartbeat_ms < 2 or self.election_ms < 5 * self.heartbeat_ms:
            raise ValueError(
                f"--election-timeout[{self.election_ms}ms] should be at least as 5 times as "
                f"--heartbeat-interval[{self.heartbeat_ms}ms]"
            )
        if self.election_ms > MAX_ELECTION_MS:
            raise ValueError(
                f"--election-timeout[{self.election_ms}ms] is too long, and should be set less than {MAX_ELECTION_MS}ms"
            )
        parse_retention(self.auto_compaction_mode, self.auto_compaction_retention)
        if len(self.first_members) > 1 and not self.listen_peer_urls:
            raise ValueError("--initial-cluster names other members: --listen-peer-urls is needed")


def parse_initial_cluster(text: str) -> dict[str, tuple[str, ...]]:
    """`m0=https://10.0.0.1:2380,m1=…`; a name that comes twice has two URLs. Raises ValueError."""
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, url = part.partition("=")
        if not separator or not name or not url:
            raise ValueError(f"--initial-cluster: {part!r} is not NAME=URL")
        found[name] = (*found.get(name, ()), url)
    return found
