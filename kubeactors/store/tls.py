"""The member's side of mutual TLS."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from kubeactors.store.client.channel import TlsFiles

logger = logging.getLogger(__name__)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Clients must show a certificate of the authority. Raises OSError, ssl.SSLError among them.

    The files are looked at again for every new connection, so that renewed certificates need no restart.
    """
    present = _read(files)
    first = current = _context(files)

    def renewed(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called for every handshake, whether the client names a host or not."""
        nonlocal present, current
        try:
            found = _read(files)
            if found != present:
                current = _context(files)
                present = found
                logger.info("certificates were renewed: %s", files.cert)
        except OSError as error:
            logger.warning("certificates cannot be read, those read before stay in use: %s", error)
        if current is not first:
            connection.context = current

    first.sni_callback = renewed
    return first


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.cert, files.key)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context


def _read(files: TlsFiles) -> tuple[bytes, bytes, bytes]:
    return Path(files.key).read_bytes(), Path(files.cert).read_bytes(), Path(files.ca).read_bytes()
