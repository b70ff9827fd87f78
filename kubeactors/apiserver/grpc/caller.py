"""Who makes a gRPC call: the client certificate that mutual TLS has verified."""

from __future__ import annotations

from typing import Any

from kubeactors.api import errors
from kubeactors.apiserver.authn.x509 import X509Authenticator
from kubeactors.apiserver.request import UserInfo

_CERTIFICATE = "x509_pem_cert"


def caller(context: Any, certificates: X509Authenticator) -> UserInfo:
    """The user of the call's certificate. Raises StatusError 401 if it names nobody or has expired."""
    for certificate in context.auth_context().get(_CERTIFICATE, ()):
        user = certificates.by_pem(certificate)
        if user is not None:
            return user
    raise errors.unauthorized()
