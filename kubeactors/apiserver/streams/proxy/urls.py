"""Names and URLs of proxied requests (k8s.io/apimachinery: util/net, util/proxy). Pure."""

from __future__ import annotations

import ipaddress
import posixpath
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

#: What Go leaves as it is in a path.
_PATH_SAFE = "$&+,/:;=@-_.~"


@dataclass(frozen=True, slots=True)
class ProxyName:
    """`name`, `name:port` or `scheme:name:port`; the port is a number or a name."""

    scheme: str
    name: str
    port: str


def parse_name(text: str) -> ProxyName | None:
    """None for what is none."""
    parts = text.split(":")
    scheme, name, port = "", parts[0], ""
    if len(parts) == 2:
        name, port = parts
    elif len(parts) == 3:
        scheme, name, port = parts
    if len(parts) > 3 or not name or scheme not in ("", "http", "https"):
        return None
    return ProxyName(scheme, name, port)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a request goes. `port` 0: the scheme's own."""

    scheme: str  # http or https
    host: str
    port: int = 0

    @property
    def authority(self) -> str:
        """host or host:port, as a URL has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def tcp_port(self) -> int:
        return self.port or (443 if self.scheme == "https" else 80)


def backend_path(below: str, request_path: str) -> str:
    """The decoded path at the backend: what is below `proxy`, cleaned, with the request's trailing slash.

    Empty when the request ends with `proxy` itself.
    """
    path = f"/{below}" if below else ""
    if request_path.endswith("/") and not path.endswith("/"):
        path += "/"
    if not path:
        return ""
    cleaned = posixpath.normpath(path)
    if cleaned.startswith("//"):  # POSIX leaves two slashes alone
        cleaned = cleaned[1:]
    return cleaned if cleaned == "/" or not path.endswith("/") else cleaned + "/"


def encode_path(path: str) -> str:
    """A decoded path as it is written in a request line, as Go's net/url does it."""
    return quote(path, safe=_PATH_SAFE)


def prefix_of(request_path: str, path: str) -> str:
    """The part of the request's path that leads to the backend, to be put before paths of its answers."""
    return request_path.removesuffix(path) if path else request_path


def rewrite(url: str, *, prefix: str, backend: str, host: str) -> str:
    """A URL of a backend's answer, made to lead through the proxy again if it names the same host.

    `backend` is the backend's host:port, `host` the request's Host header. Relative URLs and others' stay.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if (parts.netloc and parts.netloc not in (backend, host)) or not parts.path.startswith("/"):
        return url
    scheme, netloc = ("", "") if parts.netloc != host else (parts.scheme, parts.netloc)
    path = parts.path
    if not path.startswith(prefix):
        joined = posixpath.normpath(f"{prefix}{path}")
        path = joined + "/" if path.endswith("/") and joined != "/" else joined
    return urlunsplit((scheme, netloc, path, parts.query, parts.fragment))


def is_proxyable(address: str) -> bool:
    """Whether an address may be proxied to: not the machine itself, nor what only its own link knows."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    return not (
        mapped.is_loopback
        or mapped.is_link_local
        or mapped.is_multicast
        or mapped.is_unspecified
        or str(mapped) == "255.255.255.255"
    )
