"""A request target, taken apart once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from kubeactors.apiserver.http.routes import split_path


@dataclass(frozen=True, slots=True)
class Query:
    """The decoded parameters in the order written."""

    pairs: tuple[tuple[str, str], ...] = ()

    def first(self, name: str) -> str:
        """The first value of a parameter, empty if it is absent."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return [value for key, value in self.pairs if key == name]

    def boolean(self, name: str) -> bool:
        """Whether a flag is present with a value other than "0" and "false" (apimachinery's conversion)."""
        return any(value.lower() not in ("0", "false") for value in self.all(name)[:1])

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.pairs)


NO_QUERY = Query()


@dataclass(frozen=True, slots=True)
class Target:
    """The decoded path, its segments, and the query."""

    path: str
    segments: list[str]
    query: Query


_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_ORIGIN = re.compile("https?://[^/?]*", re.IGNORECASE)


def split_target(raw: str) -> Target:
    """Take a request target apart, as Go's net/url does. Raises ValueError for a path with a malformed escape.

    The absolute form (RFC 9112, section 3.2.2) means the same as the path in it. Parameters that are malformed are as
    if they were not there.
    """
    if not raw.startswith("/"):
        raw = _ORIGIN.sub("", raw, 1)
    path, _, query = raw.partition("?")
    if "%" in path:
        if _BAD_ESCAPE.search(path):
            raise ValueError("the path has a malformed escape")
        path = unquote(path)
    if not query:
        return Target(path, split_path(path), NO_QUERY)
    if ";" in query or "%" in query:
        query = "&".join(each for each in query.split("&") if ";" not in each and not _BAD_ESCAPE.search(each))
    return Target(path, split_path(path), Query(tuple(parse_qsl(query, keep_blank_values=True))))
