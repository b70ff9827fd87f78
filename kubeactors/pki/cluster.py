"""The certificates of a cluster's masters, and those that it signs for nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kubeactors.pki.authority import Authority, Identity, needs_renewal
from kubeactors.pki.files import PRIVATE, PUBLIC, write_atomically
from kubeactors.pki.service_accounts import ensure_signing_keys

ADMIN = Identity("kubernetes-admin", ("system:masters",), client=True)
SCHEDULER = Identity("system:kube-scheduler", client=True)
CONTROLLER_MANAGER = Identity("system:kube-controller-manager", client=True)
KUBELET_CLIENT = Identity("kube-apiserver-kubelet-client", ("system:masters",), client=True)
STORE_CLIENT = Identity("kube-apiserver-etcd-client", client=True)
FRONT_PROXY_CLIENT = Identity("front-proxy-client", client=True)

SHARED = ("ca.crt", "ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub")
"""What every master has alike, by kubeadm's names; each makes its other keys itself."""

OPTIONAL_SHARED = (
    *("front-proxy-ca.crt", "front-proxy-ca.key"),  # a cluster of an earlier version has none at first
    *("external-etcd/ca.crt", "external-etcd/client.crt", "external-etcd/client.key"),
)
"""The same, where the cluster has it."""


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

    @property
    def front_proxy_ca(self) -> Path:
        """Extension API servers believe a client with a certificate of this authority for whom it says it asks."""
        return self.directory / "front-proxy-ca.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs service accounts' tokens; every API server of the cluster has it."""
        return self.directory / "sa.key"

    @property
    def service_account_public_key(self) -> Path:
        """Verifies them. May hold several keys, so that tokens of an earlier one stay valid."""
        return self.directory / "sa.pub"

    @property
    def external_store(self) -> Path:
        """Directory of `ca.crt`, `client.crt` and `client.key` for an etcd that takes the store's place."""
        return self.directory / "external-etcd"

    def certificate(self, name: str) -> Path:
        """A certificate by kubeadm's name for it: "apiserver", "etcd/server", …"""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key beside `certificate(name)`."""
        return self.directory / f"{name}.key"

    @property
    def complete(self) -> bool:
        """Whether everything that masters share is here."""
        return all((self.directory / name).exists() for name in SHARED)

    def shared(self) -> dict[str, bytes]:
        """What another master needs, by file name: private keys among it. Raises OSError while something is missing."""
        names = [*SHARED, *(name for name in OPTIONAL_SHARED if (self.directory / name).exists())]
        return {name: (self.directory / name).read_bytes() for name in names}

    def take_shared(self, files: Mapping[str, bytes]) -> None:
        """Write what another master's `shared` gave. Raises ValueError for anything else, or when a part is missing."""
        if set(files) - {*SHARED, *OPTIONAL_SHARED} or set(SHARED) - set(files):
            raise ValueError(f"these are not a master's shared keys: {', '.join(sorted(files))}")
        # In this order, so that `complete` is true only when everything is there.
        for name in sorted(files, key=lambda name: SHARED.index(name) if name in SHARED else -1):
            write_atomically(self.directory / name, files[name], PRIVATE if name.endswith(".key") else PUBLIC)

    def ensure(self, server_names: Sequence[str], store_names: Sequence[str], now: datetime) -> None:
        """Make the authorities, the keys of service accounts and the masters' certificates; keep what is valid.

        `server_names` and `store_names` are the DNS names and addresses of the API server and of this store member.
        """
        authority = self._authority(now)
        store = Authority.ensure(self.store_ca, self.directory / "etcd" / "ca.key", "etcd-ca", now)
        front_proxy = Authority.ensure(
            self.front_proxy_ca, self.directory / "front-proxy-ca.key", "front-proxy-ca", now
        )
        ensure_signing_keys(self.service_account_key, self.service_account_public_key)
        server = Identity("kube-apiserver", names=tuple(server_names), server=True)
        member = Identity("etcd-server", names=tuple(store_names), server=True, client=True)
        peer = Identity("etcd-peer", names=tuple(store_names), server=True, client=True)
        for signer, name, identity in (
            (authority, "apiserver", server),
            (authority, "apiserver-kubelet-client", KUBELET_CLIENT),
            (authority, "scheduler", SCHEDULER),
            (authority, "controller-manager", CONTROLLER_MANAGER),
            (authority, "admin", ADMIN),
            (front_proxy, "front-proxy-client", FRONT_PROXY_CLIENT),
            (store, "etcd/server", member),
            (store, "etcd/peer", peer),
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
