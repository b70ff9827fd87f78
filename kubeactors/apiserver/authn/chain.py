"""The order in which credentials are tried."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kubeactors.api import errors
from kubeactors.apiserver.authn.request_header import FrontProxies, Headers
from kubeactors.apiserver.authn.tokens import TokenRefused, Tokens
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import ANONYMOUS, UserInfo

logger = logging.getLogger(__name__)


class AuthenticationChain:
    """The user whom a front proxy names, then certificate, then bearer token, then anonymous.

    Wrong credentials are refused everywhere; missing ones make the anonymous user, whom authorization then judges.
    """

    def __init__(
        self, certificates: X509Authenticator, tokens: Tokens | None = None, front_proxies: FrontProxies | None = None
    ) -> None:
        self._certificates = certificates
        self._front_proxies = front_proxies
        self._tokens = tokens or Tokens()

    async def authenticate(
        self, certificates: Sequence[bytes], authorization: str, headers: Headers | None = None
    ) -> UserInfo:
        """The user of a request on a connection with these certificates (DER) and with this Authorization header.
        `headers` are all of the request's, where front proxies may name users.

        Raises StatusError 401 for a certificate that is refused, unless a token is good, and for a bearer token that
        nobody knows. Other schemes are ignored, as Kubernetes does.
        """
        refused = None
        if certificates:
            if headers is not None and self._front_proxies is not None:
                named = self._front_proxies.user(certificates, headers)
                if named is not None:
                    return named
            try:
                return self._certificates.by_der(certificates)
            except CertificateRefused as error:
                logger.info("refused a client certificate: %s", error)
                refused = error
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if not token.isascii():
            logger.info("refused a bearer token that is not ASCII")
            raise errors.unauthorized()
        if scheme.lower() != "bearer" or not token:
            if refused is not None:
                raise errors.unauthorized() from refused
            return ANONYMOUS
        try:
            return (await self._tokens.authenticate(token)).user
        except TokenRefused as error:
            logger.info("refused a bearer token: %s", error)
            raise errors.unauthorized() from error
