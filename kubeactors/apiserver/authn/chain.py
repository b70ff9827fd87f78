"""The order in which credentials are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kubeactors.api import errors
from kubeactors.apiserver.request import ANONYMOUS, UserInfo


class TokenAuthenticator(Protocol):
    """Knows one sort of bearer token."""

    async def authenticate(self, token: str) -> UserInfo | None:
        """The token's user, or None if this is not a token of ours or no longer valid."""
        ...


class AuthenticationChain:
    """Certificate, then bearer token, then anonymous.

    Wrong credentials are refused everywhere; missing ones make the anonymous user, whom authorization then judges.
    """

    def __init__(self, tokens: Sequence[TokenAuthenticator] = ()) -> None:
        self._tokens = tuple(tokens)

    async def authenticate(self, certificate_user: UserInfo | None, authorization: str) -> UserInfo:
        """The user of a request with this client certificate's user and this Authorization header.

        Raises StatusError 401 for a bearer token that nobody knows. Other schemes are ignored, as Kubernetes does.
        """
        if certificate_user is not None:
            return certificate_user
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return ANONYMOUS
        for authenticator in self._tokens:
            user = await authenticator.authenticate(token)
            if user is not None:
                return user
        raise errors.unauthorized()
