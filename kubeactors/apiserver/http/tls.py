"""The TLS side of the HTTPS front."""

from __future__ import annotations

import ssl
from pathlib import Path


def server_context(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """Serve with this certificate; ask clients for one, and verify it against `client_ca` if they send it.

    A certificate of another authority ends the handshake with the alert unknown_ca. Raises OSError or ssl.SSLError
    when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    # HTTP/2 is not offered: every Kubernetes client speaks HTTP/1.1, and exec needs it anyway.
    context.set_alpn_protocols(["http/1.1"])
    # Session tickets would let a resumed session skip the certificate that a changed CA refuses.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context
