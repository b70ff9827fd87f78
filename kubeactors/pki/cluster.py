"""The certificates of a cluster's masters, and those that it signs for nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kubeactors.pki.authority import Authority, Identity, needs_renewal
from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically

ADMIN = Identity("kubernetes-admin", ("system:masters",), client=True)
SCHEDULER = Identity("system:kube-scheduler", client=True)
CONTROLLER_MANAGER = Identity("system:kube-controller-manager", client=True)
KUBELET_CLIENT = Identity("kube-apiserver-kubelet-client", ("system:masters",), client=True)
STORE_CLIENT = Identity("kube-apiserver-etcd-client", client=True)


@dataclass(frozen=True)
class ClusterPki:
    """Paths of everything below `/etc/kubeactors/pki`; `ensure` makes what is missing or near its end."""

    directory: Path

    @property
    def ca(self) -> Path:
        """The certificate that every client and server of the cluster trusts."""
        return self.directory / "ca.crt"

    @property
    def store_ca(self) -> Path:
        """The store trusts only certificates of this second authority, so that no node can reach it."""
        return self.directory / "etcd" / "ca.crt"

    def certificate(self, name: str) -> Path:
        """A certificate by kubeadm's name for it: "apiserver", "etcd/server", …"""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key beside `certificate(name)`."""
        return self.directory / f"{name}.key"

    def ensure(self, server_names: Sequence[str], store_names: Sequence[str], now: datetime) -> None:
        """Make the authorities and the masters' certificates; keep what is valid.

        `server_names` and `store_names` are the DNS names and addresses of the API server and of this store member.
        """
        authority = self._authority(now)
        store = Authority.ensure(self.store_ca, self.directory / "etcd" / "ca.key", "etcd-ca", now)
        server = Identity("kube-apiserver", names=tuple(server_names), server=True)
        member = Identity("etcd-server", names=tuple(store_names), server=True, client=True)
        for signer, name, identity in (
            (authority, "apiserver", server),
            (authority, "apiserver-kubelet-client", KUBELET_CLIENT),
            (authority, "scheduler", SCHEDULER),
            (authority, "controller-manager", CONTROLLER_MANAGER),
            (authority, "admin", ADMIN),
            (store, "etcd/server", member),
            (store, "apiserver-etcd-client", STORE_CLIENT),
        ):
            self._ensure_pair(signer, name, identity, now)

    def sign_node(self, request: bytes, node_name: str, address: str, now: datetime) -> bytes:
        """The certificate of a node agent, as client (`system:node:NAME`) and as server of its streams.

        Raises ValueError for a bad request.
        """
        return self._authority(now).sign_request(request, node_identity(node_name, address), now)

    def _authority(self, now: datetime) -> Authority:
        return Authority.ensure(self.ca, self.directory / "ca.key", "kubernetes", now)

    def _ensure_pair(self, signer: Authority, name: str, identity: Identity, now: datetime) -> None:
        certificate, key = self.certificate(name), self.key(name)
        if certificate.exists() and key.exists():
            current = certificate.read_bytes()
            if signer.issued(current) and not needs_renewal(current, identity, now):
                return
        pair = signer.issue(identity, now)
        write_atomically(key, pair.key, PRIVATE)
        write_atomically(certificate, pair.certificate, PUBLIC)


def node_identity(node_name: str, address: str) -> Identity:
    """Whom a node's certificate names (https://kubernetes.io/docs/reference/access-authn-authz/node/)."""
    return Identity(f"system:node:{node_name}", ("system:nodes",), (node_name, address), server=True, client=True)
