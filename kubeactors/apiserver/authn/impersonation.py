"""Acting as somebody else: the headers, and who may (https://kep.k8s.io/5284 and the older right to impersonate)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from kubeactors.api import errors
from kubeactors.api.service_accounts import group_names, split_user_name
from kubeactors.apiserver.authn.x509 import AUTHENTICATED
from kubeactors.apiserver.authz.attributes import Attributes, forbidden
from kubeactors.apiserver.authz.authorizer import MASTERS, Authorizer
from kubeactors.apiserver.request import ANONYMOUS, UserInfo

PREFIX: Final = "impersonate-"
_USER, _GROUP, _UID, _EXTRA = "user", "group", "uid", "extra-"
_NODE: Final = "system:node:"
_NODES: Final = "system:nodes"
_UNAUTHENTICATED: Final = "system:unauthenticated"
_API: Final = "authentication.k8s.io"


def wanted_user(headers: Iterable[tuple[str, str]]) -> UserInfo | None:
    """Whom a request wants to be, just as it says; None without such headers.

    Raises StatusError (400) where anything but the name is given.
    """
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    given = False
    for header, raw in headers:
        lower = header.lower()
        if not lower.startswith(PREFIX):
            continue
        # What is no UTF-8 comes with surrogates, which cannot be written anywhere.
        value = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        what = lower[len(PREFIX) :]
        if what == _USER:
            name = name or value
        elif what == _UID:
            uid = uid or value
        elif what == _GROUP:
            groups.append(value)
            given = True
        elif what.startswith(_EXTRA):
            extra.setdefault(unescape_key(what[len(_EXTRA) :]), []).append(value)
            given = True
    if name:
        return UserInfo(name, tuple(groups), uid, {key: tuple(values) for key, values in extra.items()})
    if uid or given:
        what = ", ".join(each for each, has in (("a uid", uid), ("groups", groups), ("extra", extra)) if has)
        raise errors.bad_request(f"requested {what} without impersonating a user name")
    return None


async def impersonate(authorizer: Authorizer, wanted: UserInfo, attributes: Attributes) -> UserInfo:
    """The user as whom the request (of `attributes`) goes on. Raises StatusError (403)."""
    first = None
    mode = _mode(wanted)
    if mode:
        first = await _constrained(authorizer, wanted, attributes, mode)
        if first is None:
            return completed(wanted, constrained=True)
    refused = await _refused(authorizer, _questions(wanted, attributes.user, "impersonate", ""))
    if refused is None:
        return completed(wanted, constrained=False)
    raise first or refused


def completed(wanted: UserInfo, *, constrained: bool) -> UserInfo:
    """The user with the groups that everyone of its sort has; those of a node are known in constrained mode only."""
    groups = wanted.groups
    account = split_user_name(wanted.name)
    if account is not None and not groups:
        groups = group_names(account[0])
    if constrained and wanted.name.startswith(_NODE):
        groups = (_NODES,)
    if wanted.name == ANONYMOUS.name:
        if _UNAUTHENTICATED not in groups:
            groups = (*groups, _UNAUTHENTICATED)
    elif AUTHENTICATED not in groups and _UNAUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    return UserInfo(wanted.name, groups, wanted.uid, wanted.extra)


def _mode(wanted: UserInfo) -> str:
    """The constrained mode that is for such a user; empty: only the older right will do."""
    if split_user_name(wanted.name) is not None:
        return "serviceaccount" if _only_name(wanted) else ""
    if wanted.name.startswith(_NODE):
        return "arbitrary-node" if _only_name(wanted) else ""
    return "user-info"


def _only_name(wanted: UserInfo) -> bool:
    return not (wanted.groups or wanted.uid or wanted.extra)


async def _constrained(
    authorizer: Authorizer, wanted: UserInfo, attributes: Attributes, mode: str
) -> errors.StatusError | None:
    on = attributes.with_verb(f"impersonate-on:{mode}:{attributes.verb}")
    verb = f"impersonate:{mode}"
    refused = await _refused(authorizer, [on, *_questions(wanted, attributes.user, verb, _API)])
    if refused is None and MASTERS in wanted.groups:
        group = Attributes(attributes.user, verb, _API, "v1", "groups", name=MASTERS)
        return forbidden(group, "impersonating the system:masters group is not allowed")
    return refused


async def _refused(authorizer: Authorizer, questions: Iterable[Attributes]) -> errors.StatusError | None:
    """The refusal of the first question that is answered by no."""
    for each in questions:
        decision = await authorizer.authorize(each)
        if not decision.allowed:
            return forbidden(each, decision.reason)
    return None


def _questions(wanted: UserInfo, user: UserInfo, verb: str, group: str) -> list[Attributes]:
    """One for each part of the wanted user; its name and groups are resources of API group `group`."""
    account = split_user_name(wanted.name)
    if account is not None:
        found = [Attributes(user, verb, group, "v1", "serviceaccounts", "", *account)]
    elif group and wanted.name.startswith(_NODE):
        found = [Attributes(user, verb, group, "v1", "nodes", name=wanted.name.removeprefix(_NODE))]
    else:
        found = [Attributes(user, verb, group, "v1", "users", name=wanted.name)]
    if wanted.uid:
        found.append(Attributes(user, verb, _API, "v1", "uids", name=wanted.uid))
    found += [Attributes(user, verb, group, "v1", "groups", name=each) for each in wanted.groups]
    for key, values in wanted.extra.items():
        found += [Attributes(user, verb, _API, "v1", "userextras", key, name=value) for value in values]
    return found


def unescape_key(escaped: str) -> str:
    """An extra's key as the header has it; a malformed escape stays as it is written."""
    try:
        return unquote(escaped, errors="strict")
    except UnicodeDecodeError:
        return escaped
