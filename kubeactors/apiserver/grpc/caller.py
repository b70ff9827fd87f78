"""Who makes a gRPC call: the client certificate that mutual TLS has verified, or the bearer token in its metadata."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kubeactors.api import errors
from kubeactors.apiserver.authn.impersonation import PREFIX, impersonate, wanted_user
from kubeactors.apiserver.authn.tokens import TokenRefused, Tokens
from kubeactors.apiserver.authn.x509 import CertificateRefused, X509Authenticator
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.authorizer import check
from kubeactors.apiserver.request import Request, UserInfo

logger = logging.getLogger(__name__)

_CERTIFICATE = "x509_pem_cert"

#: Gives the user, as long as the credentials are good: a token may end before a stream does. Raises StatusError 401.
User = Callable[[], Awaitable[UserInfo]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The client of a call or stream. `agent` is what it calls itself, `wanted` the user that it wants to be."""

    user: User
    agent: str
    wanted: UserInfo | None
    authorizer: Authorizer

    async def take_over(self, request: Request) -> None:
        """Let the request be this client's, whose user it has already. Raises StatusError 403 for impersonation."""
        request.user_agent = self.agent
        if self.wanted is not None:
            request.user = await impersonate(self.authorizer, self.wanted, Attributes.of(request))

    async def may_read(self, path: str) -> None:
        """For what is no resource. Raises StatusError (401, 403)."""
        question = Attributes(await self.user(), "get", path=path)
        if self.wanted is not None:
            user = await impersonate(self.authorizer, self.wanted, question)
            question = Attributes(user, "get", path=path)
        await check(self.authorizer, question)


class Callers:
    """Knows the clients of calls."""

    def __init__(self, certificates: X509Authenticator, tokens: Tokens, authorizer: Authorizer) -> None:
        self._certificates = certificates
        self._tokens = tokens
        self._authorizer = authorizer

    def of(self, context: Any) -> Caller:
        """The client of a call. Raises StatusError: 401 without credentials that are good, 400 for impersonation that
        cannot be understood."""
        token = agent = ""
        impersonates = False
        for key, value in context.invocation_metadata() or ():
            if key == "user-agent":
                # gRPC's libraries put their own name behind the program's, after a space.
                agent = str(value).partition(" ")[0]
            elif key == "authorization":
                scheme, _, rest = value.strip().partition(" ")
                token = rest.strip() if scheme.lower() == "bearer" else ""
            elif key.startswith(PREFIX):
                impersonates = True
        wanted = None
        if impersonates:
            wanted = wanted_user((key, value) for key, value in context.invocation_metadata() if isinstance(value, str))
        # A caller with a certificate needs no token.
        certificates = context.auth_context().get(_CERTIFICATE)
        if certificates or not token:
            return Caller(self._by_certificates(certificates or ()), agent, wanted, self._authorizer)
        return Caller(lambda: self._by_token(token), agent, wanted, self._authorizer)

    def _by_certificates(self, certificates: Sequence[bytes]) -> User:
        if not certificates:
            raise errors.unauthorized()
        try:
            user = self._certificates.by_pem(certificates[0])
        except CertificateRefused as error:
            raise errors.unauthorized() from error

        async def same() -> UserInfo:
            return user

        return same

    async def _by_token(self, token: str) -> UserInfo:
        try:
            return (await self._tokens.authenticate(token)).user
        except TokenRefused as error:
            logger.info("refused a bearer token: %s", error)
            raise errors.unauthorized() from error
