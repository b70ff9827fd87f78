"""For whom a front proxy asks: the headers that extension API servers read (client-go, transport.SetAuthProxyHeaders).

Pure.
"""

from __future__ import annotations

import re
from typing import Final

from kubeactors.apiserver.authn.request_header import EXTRA_PREFIX, GROUP, UID, USER
from kubeactors.apiserver.request import UserInfo

#: What a header's name may hold (RFC 9110, section 5.6.2), but for "%", which begins an escape.
_ESCAPED: Final = re.compile(rb"[^A-Za-z0-9!#$&'*+.^_`|~-]")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def identity_headers(user: UserInfo) -> list[tuple[str, str]]:
    """The headers that name a user. Raises ValueError for what cannot stand in a header, as a line break."""
    headers = [(USER, user.name)]
    if user.uid:
        headers.append((UID, user.uid))
    headers += [(GROUP, group) for group in user.groups]
    headers += [(EXTRA_PREFIX + _escaped(key), value) for key, values in user.extra.items() for value in values]
    for name, value in headers:
        if _FORBIDDEN.search(value):
            raise ValueError(f"net/http: invalid header field value for {name!r}")
    return headers


def _escaped(key: str) -> str:
    return _ESCAPED.sub(lambda found: b"%%%02X" % found.group()[0], key.encode()).decode()
