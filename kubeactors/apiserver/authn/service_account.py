"""Users by the tokens of service accounts.

A token's signature and claims are looked at once and remembered; that what it names still exists is looked up with
every request, which is one look into the watch cache for each of them.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubeactors.api.meta import Object, parse_time
from kubeactors.api.service_accounts import NODE_NAME, NODE_UID, POD_NAME, POD_UID, group_names
from kubeactors.apiserver.accounts.objects import NamedObjects
from kubeactors.apiserver.authn.tokens import TokenRefused, TokenUser
from kubeactors.apiserver.authn.x509 import AUTHENTICATED, CREDENTIAL_ID
from kubeactors.apiserver.request import UserInfo
from kubeactors.apiserver.watchcache.record import Record
from kubeactors.pki.token_claims import LEGACY_ISSUER, AccountClaims, BadClaims, read_claims
from kubeactors.pki.token_keys import BadSignature, Verifier, unverified_issuer

_CACHE_SIZE = 4096
#: Seconds that an object may have been deleting before tokens that name it are refused (go-jose's DefaultLeeway).
LEEWAY = 60.0
_INVALIDATED = "service account token has been invalidated"


@dataclass(frozen=True, slots=True)
class _Named:
    """An object that must exist. `uid` None: any of that name will do."""

    plural: str
    namespace: str
    name: str
    uid: str | None


@dataclass(slots=True)
class _Known:
    """A verified token. While the cache still holds `seen`, it is valid until `until`."""

    claims: AccountClaims
    user: UserInfo
    named: tuple[_Named, ...]
    text: str = ""  # of a legacy token, which must be the one in its secret
    seen: tuple[Record, ...] = ()
    until: float = 0.0


class ServiceAccountAuthenticator:
    """Implements `TokenAuthenticator`. `now` returns seconds since 1970."""

    def __init__(
        self,
        verifier: Verifier,
        issuer: str,
        audiences: Sequence[str],
        objects: NamedObjects,
        now: Callable[[], float],
    ) -> None:
        self._verifier = verifier
        self._issuers = frozenset({issuer, LEGACY_ISSUER})
        self._audiences = tuple(audiences)
        self._objects = objects
        self._now = now
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def authenticate(self, token: str, audiences: Sequence[str] = ()) -> TokenUser | None:
        """As `TokenAuthenticator.authenticate`."""
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is None:
            known = self._verify(token)
            if known is None:
                return None
            self._known[key] = known
            if len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        common = self._common(known.claims, audiences)
        await self._check(known)
        return TokenUser(known.user, common)

    def _common(self, claims: AccountClaims, audiences: Sequence[str]) -> tuple[str, ...]:
        wanted = audiences or self._audiences
        common = tuple(each for each in claims.audiences if each in wanted)
        if not common:
            raise TokenRefused(
                f"token audiences {_listed(claims.audiences)} is invalid for the target audiences {_listed(wanted)}"
            )
        return common

    def _verify(self, token: str) -> _Known | None:
        if unverified_issuer(token) not in self._issuers:
            return None
        try:
            claims = read_claims(self._verifier.claims(token), self._audiences)
        except (BadSignature, BadClaims) as error:
            raise TokenRefused(str(error)) from error
        return _Known(claims, _user(claims), _named(claims), token if claims.legacy else "")

    async def _check(self, known: _Known) -> None:
        """Raises TokenRefused if the token is not valid now, or not any more."""
        now = self._now()
        seen = known.seen
        if seen and now < known.until:
            for each, record in zip(known.named, seen, strict=True):
                if self._objects.record(each.plural, each.namespace, each.name) is not record:
                    break
            else:
                return
        try:
            known.claims.check_times(now)
        except BadClaims as error:
            raise TokenRefused(str(error)) from error
        until = known.claims.expires if known.claims.expires is not None else float("inf")
        found = []
        for each in known.named:
            cached, ends = await self._look(each, known)
            if ends < now:
                raise TokenRefused(_deleted(each))
            until = min(until, ends)
            if cached is not None:
                found.append(cached)
        # Where the cache lags, ask again next time.
        known.seen = tuple(found) if len(found) == len(known.named) else ()
        known.until = until

    async def _look(self, each: _Named, known: _Known) -> tuple[Record | None, float]:
        """The object's record, None if only the store has it, and until when it counts."""
        record = self._objects.record(each.plural, each.namespace, each.name)
        obj = record.decode() if record is not None else None
        if obj is None or _wrong(each, obj):
            record, obj = None, await self._objects.present(each.plural, each.namespace, each.name)
        if obj is None:
            raise TokenRefused(_missing(each))
        wrong = _wrong(each, obj)
        if wrong:
            raise TokenRefused(wrong)
        if known.text and each.plural == "secrets" and not _holds(obj, known.text):
            raise TokenRefused(
                "service account token does not match server's copy" if obj.get("data") else _INVALIDATED
            )
        deleted = obj["metadata"].get("deletionTimestamp")
        return record, parse_time(deleted).timestamp() + LEEWAY if deleted else float("inf")


def _named(claims: AccountClaims) -> tuple[_Named, ...]:
    namespace, bound = claims.namespace, claims.bound
    found = [_Named("serviceaccounts", namespace, claims.account.name, claims.account.uid)]
    if bound.secret is not None:
        found.append(_Named("secrets", namespace, bound.secret.name, None if claims.legacy else bound.secret.uid))
    if bound.pod is not None:
        found.append(_Named("pods", namespace, bound.pod.name, bound.pod.uid))
    elif bound.node is not None:
        # The node of a pod's token is told, not checked: the pod goes with its node.
        found.append(_Named("nodes", "", bound.node.name, bound.node.uid))
    return tuple(found)


def _user(claims: AccountClaims) -> UserInfo:
    extra: dict[str, tuple[str, ...]] = {}
    if claims.id:
        extra[CREDENTIAL_ID] = (f"JTI={claims.id}",)
    for reference, name, uid in ((claims.bound.node, NODE_NAME, NODE_UID), (claims.bound.pod, POD_NAME, POD_UID)):
        if reference is not None:
            extra[name] = (reference.name,)
            if reference.uid:
                extra[uid] = (reference.uid,)
    groups = (*group_names(claims.namespace), AUTHENTICATED)
    return UserInfo(claims.subject, groups, claims.account.uid, dict(sorted(extra.items())))


def _wrong(each: _Named, obj: Object) -> str:
    uid = obj["metadata"].get("uid") or ""
    if each.uid is None or each.uid == uid:
        return ""
    if each.plural == "serviceaccounts":
        return f"service account UID ({uid}) does not match claim ({each.uid})"
    kind = each.plural.removesuffix("s")
    return f"{kind} UID ({uid}) does not match service account {kind} ref claim ({each.uid})"


def _missing(each: _Named) -> str:
    return f'serviceaccounts "{each.name}" not found' if each.plural == "serviceaccounts" else _INVALIDATED


def _deleted(each: _Named) -> str:
    if each.plural == "serviceaccounts":
        return f"service account {each.namespace}/{each.name} has been deleted"
    return _INVALIDATED


def _holds(secret: Object, token: str) -> bool:
    """Whether a secret still holds this very token."""
    return (secret.get("data") or {}).get("token") == base64.b64encode(token.encode()).decode()


def _listed(texts: Sequence[str]) -> str:
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"
