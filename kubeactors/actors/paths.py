"""Where a cluster keeps its files on a machine. Everything lies below one root directory."""

from __future__ import annotations

import os
import shutil
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
    def state(self) -> Path:
        """Which machines are masters and what each machine is called, for when nobody can be asked."""
        return self.lib / "cluster.json"

    @property
    def node(self) -> Path:
        """The name and address of the node that this machine is, for when Ray cannot be asked."""
        return self.lib / "node.json"

    @property
    def node_pki(self) -> Path:
        """The node agent's certificate and key, and the authority that it trusts."""
        return self.lib / "pki"

    @property
    def graph_root(self) -> Path | None:
        """Where images and containers are kept; None is Podman's own place, so that `podman ps` shows them."""
        return None if self.root == Path("/") else self.lib / "containers"

    @property
    def store_data(self) -> Path:
        """The store member's write-ahead log and snapshots."""
        return self.lib / "store"

    @property
    def founding(self) -> Path:
        """Exists while this machine's store member may begin an empty store, which only a new cluster's first may."""
        return self.lib / "store.founding"

    @property
    def ray_storage(self) -> Path:
        """Where the Ray head that `up` starts keeps its state, so that it comes back with its actors."""
        return self.lib / "ray"

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

    def delete(self) -> None:
        """Delete the cluster's directories. Raises OSError for what cannot be deleted."""
        for directory in (self.lib, self.etc, self.run, self.log):
            shutil.rmtree(directory, onerror=_unless_absent)

    def delete_but_ray(self) -> None:
        """The same, but for what a Ray that `up` started here needs while it runs. Raises OSError."""
        if not self.ray_pid.exists():
            self.delete()
            return
        for directory in (self.lib, self.etc, self.run, self.log):
            for path in directory.glob("*"):
                if path.is_symlink() or not path.is_dir():
                    if path != self.ray_pid:
                        path.unlink()
                elif path != self.ray_storage:
                    shutil.rmtree(path, onerror=_unless_absent)


def _unless_absent(function: object, path: str, info: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(info[1], FileNotFoundError):
        raise info[1]
