"""The member's side of mutual TLS."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import grpc

from kubeactors.store.client.channel import TlsFiles

logger = logging.getLogger(__name__)


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Clients must show a certificate of the authority. Raises OSError when a file cannot be read now.

    The files are looked at again for every new connection, so that renewed certificates need no restart.
    """
    present = _read(files)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal present
        try:
            found = _read(files)
        except OSError as error:
            logger.warning("certificates cannot be read, those read before stay in use: %s", error)
            return None
        if found == present:
            return None
        present = found
        logger.info("certificates were renewed: %s", files.cert)
        return _configuration(found)

    return grpc.dynamic_ssl_server_credentials(_configuration(present), renewed, require_client_authentication=True)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """As `server_credentials`, for a server on the loop's own transports. Raises OSError, ssl.SSLError among them."""
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


def _configuration(files: tuple[bytes, bytes, bytes]) -> grpc.ServerCertificateConfiguration:
    key, certificate, ca = files
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=ca)
