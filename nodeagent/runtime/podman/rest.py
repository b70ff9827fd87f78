"""Podman's REST API on its unix socket, with connections kept open."""

import asyncio
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson

from nodeagent.runtime.interface import RuntimeFailure, RuntimeUnavailable

#: What the paths of Podman's own API begin with.
BASE_PATH = "/v4.0.0/libpod"
_BASE = f"http://d{BASE_PATH}"


class PodmanError(RuntimeFailure):
    """An answer with an error status. The text is Podman's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PodmanRest:
    """A client of one socket. Close it when done."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        timeout: float = 60.0,
    ) -> Any:
        """One call; the decoded JSON answer, or None when it is empty.

        Raises PodmanError for an error status, RuntimeUnavailable when there is no answer.
        """
        status, data = await self.raw(method, path, query=query, body=body, timeout=timeout)
        if status >= 400:
            raise PodmanError(status, _message(data))
        return orjson.loads(data) if data else None

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        timeout: float = 60.0,
    ) -> tuple[int, bytes]:
        """One call; status and bytes. Raises RuntimeUnavailable when there is no answer."""
        url = _BASE + path
        if query:
            url += "?" + urlencode({k: _query_value(v) for k, v in query.items()}, quote_via=quote)
        data = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            async with self._client().request(
                method, url, data=data, headers=headers, timeout=aiohttp.ClientTimeout(total=timeout)
            ) as response:
                return response.status, await response.read()
        except TimeoutError as error:
            raise RuntimeUnavailable(f"podman did not answer {method} {path} within {timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise RuntimeUnavailable(f"podman does not answer on {self.socket}: {error}") from error

    async def ping(self, timeout: float = 5.0) -> bool:
        try:
            status, _ = await self.raw("GET", "/_ping", timeout=timeout)
        except RuntimeUnavailable:
            return False
        return status == 200

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(path=self.socket, limit=0, keepalive_timeout=300)
            self._session = aiohttp.ClientSession(connector=connector, loop=asyncio.get_running_loop())
        return self._session


def _query_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return orjson.dumps(value).decode()
    return str(value)


def _message(data: bytes) -> str:
    try:
        decoded = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode(errors="replace").strip() or "podman gave no reason"
    if isinstance(decoded, dict):
        return str(decoded.get("message") or decoded.get("cause") or decoded)
    return str(decoded)
