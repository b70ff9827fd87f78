"""Who makes a gRPC call: the client certificate that mutual TLS has verified, or the bearer token in its metadata."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from kubeactors.api import errors
from kubeactors.apiserver.authn.impersonation import PREFIX
from kubeactors.apiserver.authn.tokens import TokenRefused, Tokens
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import UserInfo

logger = logging.getLogger(__name__)

_CERTIFICATE = "x509_pem_cert"

#: Gives the user again, as long as the credentials are good. Raises StatusError 401.
Again = Callable[[], Awaitable[UserInfo]]


class Callers:
    """Knows the users of calls."""

    def __init__(self, certificates: X509Authenticator, tokens: Tokens) -> None:
        self._certificates = certificates
        self._tokens = tokens

    async def user(self, context: Any) -> UserInfo:
        """The user of a call. Raises StatusError: 401 without credentials that are good, 400 for impersonation."""
        token = self._token(context)
        return await self._by_token(token) if token else self._by_certificate(context)

    async def lasting(self, context: Any) -> Again:
        """The same for a stream of calls, each of which asks anew: a token may end before the stream does."""
        token = self._token(context)
        if not token:
            user = self._by_certificate(context)

            async def same() -> UserInfo:
                return user

            return same
        await self._by_token(token)
        return lambda: self._by_token(token)

    def _token(self, context: Any) -> str:
        """The bearer token; empty for a caller with a certificate, who needs none."""
        with_certificate = bool(context.auth_context().get(_CERTIFICATE))
        token = ""
        for key, value in context.invocation_metadata() or ():
            if key.startswith(PREFIX):
                raise errors.bad_request("impersonation is not supported over gRPC")
            if key == "authorization" and not with_certificate:
                scheme, _, rest = value.strip().partition(" ")
                token = rest.strip() if scheme.lower() == "bearer" else ""
        return token

    def _by_certificate(self, context: Any) -> UserInfo:
        for certificate in context.auth_context().get(_CERTIFICATE, ()):
            try:
                return self._certificates.by_pem(certificate)
            except CertificateRefused as error:
                raise errors.unauthorized() from error
        raise errors.unauthorized()

    async def _by_token(self, token: str) -> UserInfo:
        try:
            return (await self._tokens.authenticate(token)).user
        except TokenRefused as error:
            logger.info("refused a bearer token: %s", error)
            raise errors.unauthorized() from error


def user_agent(context: Any) -> str:
    """What the client calls itself; gRPC's libraries put their own name behind it, after a space."""
    for key, value in context.invocation_metadata() or ():
        if key == "user-agent":
            return str(value).partition(" ")[0]
    return ""
