"""The order in which credentials are tried."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from kubeactors.api import errors
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import ANONYMOUS, UserInfo

logger = logging.getLogger(__name__)


class TokenAuthenticator(Protocol):
    """Knows one sort of bearer token."""

    async def authenticate(self, token: str) -> UserInfo | None:
        """The token's user, or None if this is not a token of ours or no longer valid."""
        ...


class AuthenticationChain:
    """Certificate, then bearer token, then anonymous.

    Wrong credentials are refused everywhere; missing ones make the anonymous user, whom authorization then judges.
    """

    def __init__(self, certificates: X509Authenticator, tokens: Sequence[TokenAuthenticator] = ()) -> None:
        self._certificates = certificates
        self._tokens = tuple(tokens)

    async def authenticate(self, certificates: Sequence[bytes], authorization: str) -> UserInfo:
        """The user of a request on a connection with these certificates (DER) and with this Authorization header.

        Raises StatusError 401 for a certificate that is refused, unless a token is good, and for a bearer token that
        nobody knows. Other schemes are ignored, as Kubernetes does.
        """
        refused = None
        if certificates:
            try:
                return self._certificates.by_der(certificates)
            except CertificateRefused as error:
                logger.info("refused a client certificate: %s", error)
                refused = error
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            if refused is not None:
                raise errors.unauthorized() from refused
            return ANONYMOUS
        for authenticator in self._tokens:
            user = await authenticator.authenticate(token)
            if user is not None:
                return user
        raise errors.unauthorized()
