"""httpGet probes and hooks, with a connection of their own each, as kubelet makes them."""

import asyncio
import os
import ssl
from typing import Any

import aiohttp

from kubeactors.api.meta import Object
from nodeagent.probes.interface import Answer, Target, resolve_port

_BODY_LIMIT = 10 * 1024


class HttpGet:
    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def probe(self, action: Object, target: Target, timeout: float) -> Answer:
        answer = await self.ask(action, target, timeout)
        if isinstance(answer, Answer):
            return answer
        status, body = answer
        if 200 <= status < 400:
            return Answer("success", body.decode(errors="replace"))
        return Answer("failure", f"HTTP probe failed with statuscode: {status}")

    async def ask(self, action: Object, target: Target, timeout: float) -> tuple[int, bytes] | Answer:
        """The status and the begin of the body, or why there is none."""
        try:
            url = url_of(action, target)
        except ValueError as error:
            return Answer("unknown", str(error), is_error=True)
        quoted = f'Get "{url}"'
        try:
            async with self._client().get(
                url,
                headers=headers_of(action),
                timeout=aiohttp.ClientTimeout(total=timeout),
                ssl=False,
                max_redirects=10,
            ) as response:
                return response.status, await response.content.read(_BODY_LIMIT)
        except TimeoutError:
            text = f"{quoted}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Answer("failure", text)
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            return Answer("failure", f"{quoted}: {reason_of(error, target.ip, action, target.container)}")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(force_close=True, limit=0, use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session


def url_of(action: Object, target: Target) -> str:
    """The URL of an httpGet action. Raises ValueError."""
    scheme = (action.get("scheme") or "HTTP").lower()
    host = action.get("host") or target.ip
    if ":" in host:
        host = f"[{host}]"
    path = action.get("path") or "/"
    if not path.startswith("/"):
        path = f"/{path}"
    return f"{scheme}://{host}:{resolve_port(action['port'], target.container)}{path}"


def headers_of(action: Object) -> list[tuple[str, str]]:
    headers = [(h["name"], h["value"]) for h in action.get("httpHeaders") or ()]
    names = {name.lower() for name, _ in headers}
    defaults = [("User-Agent", "kube-probe/1.37"), ("Accept", "*/*")]
    return [*headers, *(h for h in defaults if h[0].lower() not in names)]


def reason_of(error: Any, ip: str, action: Object, container: Object) -> str:
    """Go's words for a connection that failed."""
    if isinstance(error, aiohttp.ClientConnectorError):
        port = resolve_port(action["port"], container)
        return f"dial tcp {action.get('host') or ip}:{port}: connect: {strerror(error.os_error)}"
    if isinstance(error, (aiohttp.ServerDisconnectedError, asyncio.IncompleteReadError)):
        return "EOF"
    return str(error) or type(error).__name__


def strerror(error: OSError) -> str:
    if error.errno:
        return os.strerror(error.errno).lower()
    return str(error)
