"""URLs: url(), isURL() and their parts. https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-url-library"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_plus

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import EvaluationError

URL_TYPE: Final = struct("kubernetes.URL")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.S)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_PORT: Final = re.compile(r"(?::[0-9]*)?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PATH_SAFE: Final = "$&+,/:;=@!'()*~%"


@dataclass(frozen=True, slots=True)
class Url:
    scheme: str
    host: str  # with its port
    path: str
    query: str

    @property
    def cel_type(self) -> Type:
        return URL_TYPE

    @property
    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1 : self.host.rfind("]")]
        return self.host.rpartition(":")[0] if ":" in self.host else self.host

    @property
    def port(self) -> str:
        rest = self.host[self.host.rfind("]") + 1 :] if self.host.startswith("[") else self.host
        return rest.rpartition(":")[2] if ":" in rest else ""


def parse(text: str) -> Url:
    """Go's url.ParseRequestURI: absolute, or a path from the root. Raises EvaluationError."""
    try:
        _parse(text)
        return _parse(text.partition("#")[0])
    except ValueError as error:
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {error}') from None


def _parse(text: str) -> Url:
    if _CONTROL.search(text):
        raise ValueError("net/url: invalid control character in URL")
    if not text:
        raise ValueError("empty url")
    match = _SCHEME.fullmatch(text)
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    scheme, rest = (match[1].lower(), match[2]) if match is not None else ("", text)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme, "", "", query)
        raise ValueError("invalid URI for request")
    host = ""
    if (scheme or not rest.startswith("///")) and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        host = authority.rpartition("@")[2]
        _check_host(host)
    bad = _BAD_ESCAPE.search(rest)
    if bad is not None:
        raise ValueError(f'invalid URL escape "{bad[0]}"')
    return Url(scheme, host, rest, query)


def _check_host(host: str) -> None:
    tail = host
    if host.startswith("["):
        if "]" not in host:
            raise ValueError("missing ']' in host")
        tail = host[host.rfind("]") + 1 :]
    elif ":" in host:
        tail = host[host.rfind(":") :]
    else:
        tail = ""
    if not _PORT.fullmatch(tail):
        raise ValueError(f'invalid port "{tail}" after host')
    for char in host:
        if char in ' "<>\\^`{|}':
            raise ValueError(f'invalid character "{char}" in host name')


def is_url(text: str) -> bool:
    try:
        _parse(text)
    except ValueError:
        return False
    return True


def _query(url: Url) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in url.query.split("&"):
        if not pair or ";" in pair or _BAD_ESCAPE.search(pair):
            continue
        key, _, value = pair.partition("=")
        found.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    return found


_KNOWN: Final = {"URL": URL_TYPE}
LIBRARY: Final = Library(
    {
        "url": (overload("string_to_url", "(string) -> URL", parse, _KNOWN),),
        "isURL": (overload("is_url_string", "(string) -> bool", is_url),),
        "getScheme": (overload("url_get_scheme", "URL.() -> string", lambda url: url.scheme, _KNOWN),),
        "getHost": (overload("url_get_host", "URL.() -> string", lambda url: url.host, _KNOWN),),
        "getHostname": (overload("url_get_hostname", "URL.() -> string", lambda url: url.hostname, _KNOWN),),
        "getPort": (overload("url_get_port", "URL.() -> string", lambda url: url.port, _KNOWN),),
        "getEscapedPath": (
            overload("url_get_escaped_path", "URL.() -> string", lambda url: quote(url.path, safe=_PATH_SAFE), _KNOWN),
        ),
        "getQuery": (overload("url_get_query", "URL.() -> map(string, list(string))", _query, _KNOWN),),
    },
    (URL_TYPE,),
)
