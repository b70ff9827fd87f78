"""Certificates and tokens that a client shows and trusts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TlsConfig:
    """Where to find the CA that signed the server, and the client's own certificate and key (PEM).

    Files are read again at every connection, so a renewed certificate is taken up without a restart. The `*_data`
    fields hold PEM bytes and win over files. Nothing given for the CA: the system's certificate authorities.
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    ca_data: bytes | None = None
    cert_data: bytes | None = None
    key_data: bytes | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False

    def load(self) -> LoadedTls:
        """Reads the files (blocking; small). Raises OSError when one is missing."""
        return LoadedTls(
            ca=_pem(self.ca_data, self.ca_file),
            cert=_pem(self.cert_data, self.cert_file),
            key=_pem(self.key_data, self.key_file),
        )


@dataclass(frozen=True)
class LoadedTls:
    """PEM bytes of one moment."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None


def _pem(data: bytes | None, file: str | Path | None) -> bytes | None:
    if data is not None:
        return data
    return None if file is None else Path(file).read_bytes()


def system_ca() -> bytes | None:
    """The system's CA bundle as PEM, or None when OpenSSL knows of none."""
    path = ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path else None
