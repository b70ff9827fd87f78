"""The place of authorization in the chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from kubeactors.api.service_accounts import USER_PREFIX
from kubeactors.apiserver.authz.attributes import Attributes, forbidden
from kubeactors.apiserver.request import UserInfo

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
#: What anybody may read (Kubernetes' role system:public-info-viewer).
PUBLIC: Final = frozenset({"/healthz", "/livez", "/readyz", "/version", "/version/"})


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer. `denied`: no other authorizer may allow it. `error`: what kept this one from judging fully."""

    allowed: bool
    denied: bool = False
    reason: str = ""
    error: str = ""


ALLOWED: Final = Decision(True)
NO_OPINION: Final = Decision(False)


@dataclass(slots=True)
class Rules:
    """What a user may do in a namespace, as ResourceRules and NonResourceRules of authorization.k8s.io/v1 say it.

    `incomplete`: there may be more; `error` says why that is not known.
    """

    resources: list[dict[str, Any]] = field(default_factory=list)
    paths: list[dict[str, Any]] = field(default_factory=list)
    incomplete: bool = False
    error: str = ""


class Authorizer(Protocol):
    """Decides before anything else about a request is looked at."""

    async def authorize(self, attributes: Attributes) -> Decision:
        """Whether the user may."""
        ...

    async def rules(self, user: UserInfo, namespace: str) -> Rules:
        """All that the user may do in a namespace and with paths."""
        ...


class AllowAuthenticated:
    """Everyone who showed who they are may do everything, except act as somebody else: that is for system:masters."""

    async def authorize(self, attributes: Attributes) -> Decision:
        if _is_known(attributes.user) and not attributes.verb.startswith("impersonate"):
            return ALLOWED
        if MASTERS in attributes.user.groups or (is_public(attributes)):
            return ALLOWED
        return NO_OPINION

    async def rules(self, user: UserInfo, namespace: str) -> Rules:
        if _is_known(user) or MASTERS in user.groups:
            everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return Rules([everything], [{"verbs": ["*"], "nonResourceURLs": ["*"]}])
        return Rules(paths=[{"verbs": ["get"], "nonResourceURLs": sorted(PUBLIC)}])


def _is_known(user: UserInfo) -> bool:
    """A service account is known by its name: who asks about one in a review need not name its groups."""
    return AUTHENTICATED in user.groups or user.name.startswith(USER_PREFIX)


def is_public(attributes: Attributes) -> bool:
    """Whether everybody may see this: health and version."""
    if not attributes.path:
        return False
    first = "/" + attributes.path.split("/")[1]
    return attributes.verb == "get" and (attributes.path in PUBLIC or first in ("/healthz", "/livez", "/readyz"))


async def check(authorizer: Authorizer, attributes: Attributes) -> None:
    """Raises StatusError (403) if the user may not."""
    decision = await authorizer.authorize(attributes)
    if not decision.allowed:
        raise forbidden(attributes, decision.reason)
