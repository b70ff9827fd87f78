"""Headers of proxied requests and answers (net/http/httputil.ReverseProxy, util/proxy). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.apiserver.streams.channels import without_token

Headers = list[tuple[str, str]]

#: What concerns one connection only (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset(
    {
        "connection",
        "proxy-connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: What browsers would be allowed by the API server's name.
_CORS = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
    }
)


def _is_secret(name: str) -> bool:
    """What authenticated the request is not the backend's to see."""
    return name == "authorization" or name.startswith("impersonate-") or name.startswith("x-remote-")


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> set[str]:
    return {
        token.strip().lower() for name, value in headers if name.lower() == "connection" for token in value.split(",")
    }


def to_backend(headers: Iterable[tuple[str, str]], client: str, forwarded_uri: str) -> Headers:
    """The headers of a request as its backend gets them. `client` is the client's address."""
    given = list(headers)
    dropped = HOP_BY_HOP | _named_by_connection(given) | {"x-forwarded-for", "x-forwarded-uri"}
    found = [(name, value) for name, value in given if name.lower() not in dropped and not _is_secret(name.lower())]
    if any(name.lower() == "te" and "trailers" in value.lower() for name, value in given):
        found.append(("Te", "trailers"))
    return [*found, _forwarded_for(given, client), ("X-Forwarded-Uri", forwarded_uri)]


def to_backend_upgrading(headers: Iterable[tuple[str, str]], client: str) -> Headers:
    """The same for an upgrade, whose headers all belong to it."""
    given = list(headers)
    found = [
        (n, without_token(v) if n.lower() == "sec-websocket-protocol" else v)
        for n, v in given
        if n.lower() != "x-forwarded-for" and not _is_secret(n.lower())
    ]
    return [*found, _forwarded_for(given, client)]


def _forwarded_for(headers: Iterable[tuple[str, str]], client: str) -> tuple[str, str]:
    before = [value for name, value in headers if name.lower() == "x-forwarded-for"]
    return "X-Forwarded-For", ", ".join([*before, client])


def to_client(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer as the client gets them."""
    given = list(headers)
    dropped = HOP_BY_HOP | _CORS | _named_by_connection(given)
    return [(name, value) for name, value in given if name.lower() not in dropped]
