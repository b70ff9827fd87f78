"""The TLS side of both fronts."""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from collections.abc import Sequence
from pathlib import Path

# For REST HTTP/2 is not offered: every Kubernetes client speaks HTTP/1.1, and exec needs it anyway. gRPC is HTTP/2.
HTTP_1, HTTP_2 = "http/1.1", "h2"

_VerifyCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


# Kept for as long as OpenSSL may call it: the process.
_ACCEPT = _VerifyCallback(lambda _verified, _chain: 1)


def server_context(
    certificate: Path, key: Path, client_cas: Sequence[Path], *, protocol: str = HTTP_1
) -> ssl.SSLContext:
    """Serve a protocol with this certificate; ask clients for one of `client_cas`.

    Whatever certificate a client sends ends the handshake well, if the client holds its key: the authenticator judges
    it, and answers with a Status as Kubernetes does (decision 0008). Raises OSError or ssl.SSLError when a file cannot
    be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    for authority in client_cas:
        context.load_verify_locations(authority)  # tells clients which authority to choose a certificate of
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols([protocol])
    # Session tickets would let a resumed session skip the certificate that a changed CA refuses.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _judge_later(context)
    return context


def _judge_later(context: ssl.SSLContext) -> None:
    """Replace OpenSSL's verdict on the client's certificate, for which Python has no call of its own.

    CPython's context object is its head and then the pointer to OpenSSL's. Raises ssl.SSLError when it is not.
    """
    openssl = ctypes.CDLL(_ssl.__file__)  # the very library that the ssl module is bound to
    openssl.SSL_CTX_get_verify_mode.argtypes = (ctypes.c_void_p,)
    openssl.SSL_CTX_set_verify.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    openssl.SSL_CTX_set_verify.restype = None
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    for mode, expected in ((ssl.CERT_REQUIRED, 3), (ssl.CERT_OPTIONAL, 1)):
        context.verify_mode = mode
        if openssl.SSL_CTX_get_verify_mode(pointer) != expected:
            raise ssl.SSLError("this Python's TLS contexts have an unknown layout")
    openssl.SSL_CTX_set_verify(pointer, 1, _ACCEPT)


def peer_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates that the client sent (DER), its own first; empty when it sent none."""
    if tls.getpeercert(binary_form=True) is None:
        return ()
    if hasattr(tls, "get_unverified_chain"):  # from Python 3.13
        return tuple(tls.get_unverified_chain())
    chain = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return tuple(certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain)
