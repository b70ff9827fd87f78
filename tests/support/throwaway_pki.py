"""A CA, a server with a certificate that asks for client certificates, and clients, in one directory."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from kubeactors.client.tls import TlsConfig
from kubeactors.pki.authority import Authority, Identity


class ThrowawayPki:
    """A CA, a server with a certificate that asks for client certificates, and clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca_file = directory / "ca.crt"
        self.renew()

    def renew(self) -> None:
        """A new CA and new certificates in the same files."""
        self.ca = Authority.create("test", datetime.now(UTC))
        self.ca_file.write_bytes(self.ca.certificate)
        self.issue("server", server=True)
        self.issue("client", client=True)

    def issue(self, name: str, *, server: bool = False, client: bool = False) -> None:
        pair = self.ca.issue(Identity(name, names=("127.0.0.1",), server=server, client=client), datetime.now(UTC))
        (self.directory / f"{name}.crt").write_bytes(pair.certificate)
        (self.directory / f"{name}.key").write_bytes(pair.key)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.directory / "server.crt", self.directory / "server.key")
        return context

    def tls(self, name: str = "client") -> TlsConfig:
        return TlsConfig(self.ca_file, self.directory / f"{name}.crt", self.directory / f"{name}.key")

    def grpc_credentials(self) -> Any:
        """A gRPC server's, that asks for client certificates."""
        pair = ((self.directory / "server.key").read_bytes(), (self.directory / "server.crt").read_bytes())
        return grpc.ssl_server_credentials([pair], self.ca_file.read_bytes(), require_client_auth=True)
