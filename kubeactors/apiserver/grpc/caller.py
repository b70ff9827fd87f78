"""Who makes a gRPC call: the client certificate that mutual TLS has verified."""

from __future__ import annotations

from typing import Any

from kubeactors.api import errors
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import UserInfo

_CERTIFICATE = "x509_pem_cert"


def caller(context: Any, certificates: X509Authenticator) -> UserInfo:
    """The user of the call's certificate. Raises StatusError 401 when it is refused."""
    for certificate in context.auth_context().get(_CERTIFICATE, ()):
        try:
            return certificates.by_pem(certificate)
        except CertificateRefused as error:
            raise errors.unauthorized() from error
    raise errors.unauthorized()


def user_agent(context: Any) -> str:
    """What the client calls itself; gRPC's libraries put their own name behind it, after a space."""
    for key, value in context.invocation_metadata() or ():
        if key == "user-agent":
            return str(value).partition(" ")[0]
    return ""
