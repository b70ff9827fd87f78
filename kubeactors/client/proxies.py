"""Which HTTP proxy a connection takes: a kubeconfig's `proxy-url`, else what the environment says, as client-go."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

SCHEMES = ("http", "https")


def proxy_for(endpoint: str, configured: str | None) -> str | None:
    """The proxy's URL, or None for a direct connection.

    The environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY count, but not for this machine's own addresses.
    """
    if configured is not None:
        return configured
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if host == "localhost" or _loopback(host):
        return None
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    found = getproxies().get(parts.scheme)
    if not found:
        return None
    return found if "://" in found else f"http://{found}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
