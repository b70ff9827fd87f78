"""Users whom a front proxy names: a client with a certificate of the authority for front proxies says whom it speaks
for in `X-Remote-…` headers.

See https://kubernetes.io/docs/reference/access-authn-authz/authentication/#authenticating-proxy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from kubeactors.apiserver.authn.impersonation import unescape_key
from kubeactors.apiserver.authn.x509 import AUTHENTICATED, CertificateRefused, X509Authenticator
from kubeactors.apiserver.request import ANONYMOUS, UserInfo

logger = logging.getLogger(__name__)

USER: Final = "X-Remote-User"
GROUP: Final = "X-Remote-Group"
UID: Final = "X-Remote-Uid"
EXTRA_PREFIX: Final = "X-Remote-Extra-"
_UNAUTHENTICATED: Final = "system:unauthenticated"


class Headers(Protocol):
    """A request's headers, whose names are compared without regard to case (`CIMultiDictProxy`)."""

    def get(self, key: str, /) -> str | None: ...

    def items(self) -> Iterable[tuple[str, str]]: ...


class FrontProxies:
    """`certificates` judges by the authorities of front proxies. `allowed_names`: their common names, none for any."""

    def __init__(self, certificates: X509Authenticator, allowed_names: Sequence[str]) -> None:
        self._certificates = certificates
        self._allowed = frozenset(allowed_names)

    def user(self, chain: Sequence[bytes], headers: Headers) -> UserInfo | None:
        """Whom the client with these certificates (DER) speaks for; None if it names nobody or is no front proxy."""
        if not headers.get(USER):
            return None
        try:
            proxy = self._certificates.by_der(chain).name
        except CertificateRefused:
            return None  # a user of its own, who may send whatever headers it likes
        if self._allowed and proxy not in self._allowed:
            logger.info("refused a front proxy: its common name %r is not in the list", proxy)
            return None
        return named_user(headers.items())


def named_user(headers: Iterable[tuple[str, str]]) -> UserInfo | None:
    """Whom the headers name; None without a name. Pure."""
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for header, raw in headers:
        lower = header.lower()
        if not lower.startswith("x-remote-"):
            continue
        value = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if lower == USER.lower():
            name = name or value
        elif lower == UID.lower():
            uid = uid or value
        elif lower == GROUP.lower():
            if value:
                groups.append(value)
        elif lower.startswith(EXTRA_PREFIX.lower()):
            extra.setdefault(unescape_key(lower[len(EXTRA_PREFIX) :]), []).append(value)
    if not name:
        return None
    if name != ANONYMOUS.name and AUTHENTICATED not in groups and _UNAUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    return UserInfo(name, tuple(groups), uid, {key: tuple(values) for key, values in extra.items()})
