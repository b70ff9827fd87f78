"""What authenticators of bearer tokens have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kubeactors.apiserver.request import UserInfo

UNKNOWN: Final = "invalid bearer token"


class TokenRefused(Exception):
    """A token that an authenticator knows and does not take; the message says why, and no secret."""


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Whom a token stands for, and for which of the audiences asked for it is meant."""

    user: UserInfo
    audiences: tuple[str, ...] = ()


class TokenAuthenticator(Protocol):
    """Knows one sort of bearer token."""

    async def authenticate(self, token: str, audiences: Sequence[str] = ()) -> TokenUser | None:
        """The token's user, None for a token of another sort. Raises TokenRefused.

        `audiences`: for whom the token must be meant (one is enough); none: for this API server.
        """
        ...


class Tokens:
    """Every sort of token that this server knows, asked one after the other."""

    def __init__(self, authenticators: Sequence[TokenAuthenticator] = ()) -> None:
        self._authenticators = tuple(authenticators)

    async def authenticate(self, token: str, audiences: Sequence[str] = ()) -> TokenUser:
        """The token's user. Raises TokenRefused, also for a token that nobody knows."""
        for authenticator in self._authenticators:
            found = await authenticator.authenticate(token, audiences)
            if found is not None:
                return found
        raise TokenRefused(UNKNOWN)
