"""What a service account's token says (KEP-1205; RFC 7519), and how it is read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kubeactors.api.meta import Object
from kubeactors.api.service_accounts import user_name

LEGACY_ISSUER: Final = "kubernetes/serviceaccount"
"""Of tokens in secrets, which never expire."""

_LEGACY: Final = "kubernetes.io/serviceaccount/"


class BadClaims(Exception):
    """Claims of a verified token that make no sense or are not valid now; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a token names."""

    name: str
    uid: str

    @classmethod
    def to(cls, obj: Object) -> Reference:
        """The reference to an object."""
        metadata = obj["metadata"]
        return cls(metadata["name"], metadata.get("uid") or "")

    def document(self) -> dict[str, str]:
        """As it stands in a token."""
        return {"name": self.name, "uid": self.uid} if self.uid else {"name": self.name}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token is good for as long as it exists: at most one of pod, secret and node; a pod's node is told too."""

    pod: Reference | None = None
    secret: Reference | None = None
    node: Reference | None = None


@dataclass(frozen=True, slots=True)
class AccountClaims:
    """The claims of one token. Times are seconds since 1970; None: not limited. `secret_token` is of legacy ones."""

    namespace: str
    account: Reference
    audiences: tuple[str, ...]
    bound: Bound = Bound()
    not_before: float | None = None
    expires: float | None = None
    id: str = ""
    legacy: bool = False

    @property
    def subject(self) -> str:
        """The account's user name."""
        return user_name(self.namespace, self.account.name)

    def check_times(self, now: float) -> None:
        """Raises BadClaims for a token that is not valid at `now`."""
        if self.not_before is not None and now < self.not_before:
            raise BadClaims("service account token is not valid yet")
        if self.expires is not None and now > self.expires:
            raise BadClaims("service account token has expired")


def token_claims(
    account: Object,
    bound: Bound,
    *,
    issuer: str,
    audiences: Sequence[str],
    now: datetime,
    seconds: int,
    token_id: str,
    warn_after: int = 0,
) -> dict[str, Any]:
    """The claims of a token that lives for `seconds` from `now` on.

    `warn_after`: seconds after which its use is worth a warning, though it is still valid; 0 for none.
    """
    issued = int(now.timestamp())
    namespace = account["metadata"]["namespace"]
    of: dict[str, Any] = {"namespace": namespace}
    if bound.node is not None:
        of["node"] = bound.node.document()
    if bound.pod is not None:
        of["pod"] = bound.pod.document()
    if bound.secret is not None:
        of["secret"] = bound.secret.document()
    of["serviceaccount"] = Reference.to(account).document()
    if warn_after:
        of["warnafter"] = issued + warn_after
    return {
        "aud": list(audiences),
        "exp": issued + seconds,
        "iat": issued,
        "iss": issuer,
        "jti": token_id,
        "kubernetes.io": of,
        "nbf": issued,
        "sub": user_name(namespace, account["metadata"]["name"]),
    }


def legacy_claims(account: Object, secret: Object) -> dict[str, Any]:
    """The claims of the token that a secret of type kubernetes.io/service-account-token holds."""
    metadata = account["metadata"]
    return {
        "iss": LEGACY_ISSUER,
        _LEGACY + "namespace": metadata["namespace"],
        _LEGACY + "secret.name": secret["metadata"]["name"],
        _LEGACY + "service-account.name": metadata["name"],
        _LEGACY + "service-account.uid": metadata["uid"],
        "sub": user_name(metadata["namespace"], metadata["name"]),
    }


def read_claims(claims: Mapping[str, Any], default_audiences: Sequence[str]) -> AccountClaims:
    """The claims of a verified token. One without audiences is for `default_audiences`. Raises BadClaims."""
    if claims.get("iss") == LEGACY_ISSUER:
        return _read_legacy(claims, default_audiences)
    of = claims.get("kubernetes.io")
    if not isinstance(of, dict):
        raise BadClaims("service account token claims could not be validated due to unexpected private claim")
    account = _reference(of.get("serviceaccount"))
    namespace = of.get("namespace")
    if account is None or not isinstance(namespace, str):
        raise BadClaims("service account token claims could not be validated due to unexpected private claim")
    bound = Bound(*(_bound(of, what) for what in ("pod", "secret", "node")))
    identifier = claims.get("jti")
    return AccountClaims(
        namespace,
        account,
        _audiences(claims) or tuple(default_audiences),
        bound,
        _time(claims, "nbf"),
        _time(claims, "exp"),
        identifier if isinstance(identifier, str) else "",
    )


def _read_legacy(claims: Mapping[str, Any], default_audiences: Sequence[str]) -> AccountClaims:
    namespace, secret, name, uid = (
        claims.get(_LEGACY + field)
        for field in ("namespace", "secret.name", "service-account.name", "service-account.uid")
    )
    given = (namespace, secret, name, uid)
    for value, what in zip(given, ("namespace", "secretName", "serviceAccountName", "serviceAccountUID"), strict=True):
        if not isinstance(value, str) or not value:
            raise BadClaims(f"{what} claim is missing")
    assert isinstance(namespace, str) and isinstance(secret, str) and isinstance(name, str) and isinstance(uid, str)
    if claims.get("sub") != user_name(namespace, name):
        raise BadClaims("sub claim is invalid")
    bound = Bound(secret=Reference(secret, ""))
    return AccountClaims(namespace, Reference(name, uid), tuple(default_audiences), bound, legacy=True)


def _audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    given = claims.get("aud")
    if given is None:
        return ()
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(each, str) for each in listed):
        raise BadClaims("service account token claims could not be validated due to unexpected audience claim")
    return tuple(listed)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadClaims("service account token claims could not be validated due to unexpected validation error")
    return float(value)


def _bound(of: Mapping[str, Any], what: str) -> Reference | None:
    """What a token is bound to. Raises BadClaims for something that is there and cannot be read: it would not bind."""
    found = _reference(of.get(what))
    if found is None and of.get(what) is not None:
        raise BadClaims("service account token claims could not be validated due to unexpected private claim")
    return found


def _reference(value: Any) -> Reference | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    uid = value.get("uid")
    return Reference(value["name"], uid if isinstance(uid, str) else "")
