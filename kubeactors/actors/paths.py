"""Where a cluster keeps its files on a machine. Everything lies below one root directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT_DIR_VARIABLE = "KUBEACTORS_ROOT_DIR"
"""Names the root directory of a machine. Set it in the environment of `ray start` to move a worker machine's files."""


@dataclass(frozen=True)
class Paths:
    """The directories and files below `root` (DESIGN: /etc, /var/lib, /run and /var/log)."""

    root: Path

    @classmethod
    def from_environment(cls, default: str = "/") -> Paths:
        """Below the directory that the environment names, else below `default`."""
        return cls(Path(os.environ.get(ROOT_DIR_VARIABLE) or default))

    @property
    def etc(self) -> Path:
        """Configuration, certificates and kubeconfigs."""
        return self.root / "etc" / "kubeactors"

    @property
    def lib(self) -> Path:
        """What must survive a reboot: the store, pods' volumes, addresses in use."""
        return self.root / "var" / "lib" / "kubeactors"

    @property
    def run(self) -> Path:
        """What a reboot may take: sockets and process ids."""
        return self.root / "run" / "kubeactors"

    @property
    def log(self) -> Path:
        """One log file for each component."""
        return self.root / "var" / "log" / "kubeactors"

    @property
    def pki(self) -> Path:
        """Certificates and keys, as kubeadm lays them out."""
        return self.etc / "pki"

    @property
    def config(self) -> Path:
        """The cluster's configuration as `kubeactors up` last used it."""
        return self.etc / "config.yaml"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.etc / "admin.conf"

    @property
    def machines(self) -> Path:
        """Which node name each machine's address has, so that a machine keeps its name for good."""
        return self.lib / "machines.json"

    @property
    def node(self) -> Path:
        """The name and address of the node that this machine is, for when Ray cannot be asked."""
        return self.lib / "node.json"

    @property
    def graph_root(self) -> Path | None:
        """Where images and containers are kept; None is Podman's own place, so that `podman ps` shows them."""
        return None if self.root == Path("/") else self.lib / "containers"

    @property
    def store_data(self) -> Path:
        """The store member's write-ahead log and snapshots."""
        return self.lib / "store"

    @property
    def store_pid(self) -> Path:
        """The store member's process."""
        return self.run / "store.pid"

    @property
    def ray_pid(self) -> Path:
        """The local Ray that `kubeactors up` started, if it did."""
        return self.run / "ray.pid"

    @property
    def ray_temp(self) -> Path:
        """Session directory of that Ray."""
        return self.root / "tmp" / "ray"
