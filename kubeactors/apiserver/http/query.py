"""A request target, taken apart once."""

from __future__ import annotations

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


def split_target(raw: str) -> Target:
    """Take a request target apart."""
    path, _, query = raw.partition("?")
    if "%" in path:
        path = unquote(path)
    pairs = Query(tuple(parse_qsl(query, keep_blank_values=True))) if query else NO_QUERY
    return Target(path, split_path(path), pairs)
