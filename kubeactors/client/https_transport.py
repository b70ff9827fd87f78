"""REST over HTTPS, for those who have a kubeconfig and nothing else, and for any Kubernetes."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import ssl
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from kubeactors.api.errors import StatusError, from_status, status_failure
from kubeactors.client import exec_plugin, rest, websocket_streams
from kubeactors.client.calls import Call, ListCall, LogsCall, RawEvent, Reply, WatchCall
from kubeactors.client.discovery import ServedResource, from_documents
from kubeactors.client.exec_plugin import ExecCredential, ExecPluginError
from kubeactors.client.kubeconfig import ClientConfig
from kubeactors.client.proxies import proxy_for
from kubeactors.client.streams import CommandCall, PortCall
from kubeactors.client.tls import TlsConfig
from kubeactors.client.transport import ConnectionLost
from kubeactors.client.websocket_streams import WebSocketCommand, WebSocketPort

logger = logging.getLogger(__name__)

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes of the largest WebSocket message that is taken."""
#: Seconds between pings of a WebSocket, and for their answers: a dead server ends a silent session.
HEARTBEAT = 30.0
CONNECT_TIMEOUT = 4.0
IDLE_CONNECTION = 30.0
"""Seconds that an unused connection is kept; less than servers keep it, so that no write meets a closing one."""
# A silent connection is probed after 6 s and then each second; three lost probes, or data not acknowledged for 9 s (in
# milliseconds), end it.
_KEEPALIVE = {"TCP_KEEPIDLE": 6, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 9000}
CREDENTIALS_CHECK = 10.0
"""Seconds between looks at the files of certificates and tokens, which others renew."""


class HttpsTransport:
    """See `Transport`. Goes to the next endpoint when one cannot be reached."""

    def __init__(self, config: ClientConfig, user_agent: str) -> None:
        self._config = config
        self._user_agent = user_agent
        self._endpoints = [endpoint.rstrip("/") for endpoint in config.endpoints]
        self._proxies = {endpoint: proxy_for(endpoint, config.proxy) for endpoint in self._endpoints}
        self._next = 0
        self._session: aiohttp.ClientSession | None = None
        self._context: ssl.SSLContext | bool = True
        self._opening = asyncio.Lock()
        self._files: Mapping[Path, tuple[int, int]] = {}
        self._token = config.token
        self._credential: ExecCredential | None = None
        self._refused = False
        self._checked = 0.0
        self._closed = False

    async def call(self, call: Call, timeout: float) -> Reply:
        request = rest.request(call)
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        session, endpoint = await self._open()
        headers = self._headers({"Accept": "application/json"})
        if request.content_type:
            headers["Content-Type"] = request.content_type
        try:
            async with session.request(
                request.method,
                endpoint + request.path,
                params=request.query,
                data=request.body or None,
                headers=headers,
                timeout=limits,
                ssl=self._context,
                proxy=self._proxies[endpoint],
            ) as response:
                body = await response.read()
                if response.status >= 400:
                    self._note(response.status)
                    raise _refusal(response, body)
                if isinstance(call, ListCall):
                    return await asyncio.to_thread(rest.list_reply, body)
                return rest.object_reply(body, response.headers.getall("Warning", []))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(endpoint, error) from error

    async def discover(self, timeout: float) -> list[ServedResource] | None:
        """Everything that the server serves; None from servers that cannot tell it at once."""
        return await from_documents(lambda path, accept: self.document(path, accept, timeout))

    async def document(self, path: str, accept: str, timeout: float) -> Any:
        """The JSON document at `path`; None where the server has none, or none that `accept` takes."""
        session, endpoint = await self._open()
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        try:
            async with session.get(
                endpoint + path,
                headers=self._headers({"Accept": accept}),
                timeout=limits,
                ssl=self._context,
                proxy=self._proxies[endpoint],
            ) as response:
                body = await response.read()
                if response.status in (404, 406):
                    return None
                if response.status >= 400:
                    self._note(response.status)
                    raise _refusal(response, body)
                return orjson.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(endpoint, error) from error

    async def watch(self, call: WatchCall, timeout: float) -> AsyncGenerator[Sequence[RawEvent], None]:
        path, query = rest.watch_path(call)
        rest_of_line = b""
        async with aclosing(self._stream(path, query, timeout)) as chunks:
            async for chunk in chunks:
                *lines, rest_of_line = (rest_of_line + chunk).split(b"\n")
                events = [rest.raw_event(line) for line in lines if line]
                if events or not chunk:
                    yield events

    async def logs(self, call: LogsCall, timeout: float) -> AsyncGenerator[bytes, None]:
        path, query = rest.logs_path(call)
        async with aclosing(self._stream(path, query, timeout)) as chunks:
            async for chunk in chunks:
                if chunk:
                    yield chunk

    async def command(self, call: CommandCall, timeout: float) -> WebSocketCommand:
        path, query = websocket_streams.command_request(call)
        return WebSocketCommand(await self._websocket(path, query, websocket_streams.COMMAND_PROTOCOLS, timeout))

    async def port(self, call: PortCall, timeout: float) -> WebSocketPort:
        path, query = websocket_streams.port_request(call)
        return WebSocketPort(await self._websocket(path, query, websocket_streams.PORT_PROTOCOLS, timeout))

    async def _websocket(
        self, path: str, query: list[tuple[str, str]], protocols: tuple[str, ...], timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket that speaks the first of the protocols that the server knows. Raises as `call` does."""
        session, endpoint = await self._open()
        try:
            async with asyncio.timeout(timeout):
                try:
                    return await session.ws_connect(
                        URL(endpoint + path, encoded=True).with_query(query),
                        protocols=protocols,
                        headers=self._headers({}),
                        ssl=self._context,
                        proxy=self._proxies[endpoint],
                        heartbeat=HEARTBEAT,
                        max_msg_size=MAX_MESSAGE,
                        autoclose=True,
                    )
                except aiohttp.WSServerHandshakeError as error:
                    # The refusal's text is lost with the handshake: without an upgrade the request is refused alike.
                    self._note(error.status)
                    async with session.get(
                        endpoint + path,
                        params=query,
                        headers=self._headers({}),
                        ssl=self._context,
                        proxy=self._proxies[endpoint],
                    ) as response:
                        raise _refusal(response, await response.read()) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(endpoint, error) from error

    async def close(self) -> None:
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- connections -------------------------------------------------------------------------------------------------

    async def _stream(self, path: str, query: Mapping[str, str], timeout: float) -> AsyncGenerator[bytes, None]:
        """Nothing once the server has begun to answer, then what it sends."""
        session, endpoint = await self._open()
        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, CONNECT_TIMEOUT))
        headers = self._headers({"Accept": "application/json"})
        try:
            async with asyncio.timeout(timeout) as deadline:
                async with session.get(
                    endpoint + path,
                    params=query,
                    headers=headers,
                    timeout=limits,
                    ssl=self._context,
                    proxy=self._proxies[endpoint],
                ) as response:
                    if response.status >= 400:
                        self._note(response.status)
                        raise _refusal(response, await response.read())
                    deadline.reschedule(None)
                    yield b""
                    async for chunk in response.content.iter_any():
                        yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._lost(endpoint, error) from error

    def _headers(self, given: Mapping[str, str]) -> CIMultiDict[str]:
        headers = CIMultiDict(given)
        for name, value in self._config.impersonate:
            headers.add(name, value)
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        elif self._config.basic is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(*self._config.basic, encoding="utf-8")
        return headers

    def _note(self, status: int) -> None:
        """What is refused must not be shown again: the next call asks the program for other credentials."""
        if status == 401 and self._credential is not None:
            self._refused, self._checked = True, float("-inf")

    def _lost(self, endpoint: str, error: Exception) -> ConnectionLost:
        unreached = isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
        if unreached or isinstance(error, aiohttp.ClientOSError):
            self._next += 1
        return ConnectionLost(
            f"{endpoint}: {str(error) or type(error).__name__}",
            sent=not unreached,
            final=isinstance(error, aiohttp.ClientConnectorCertificateError),
        )

    async def _open(self) -> tuple[aiohttp.ClientSession, str]:
        """The session, its credentials looked at lately, and the endpoint to use."""
        if self._closed:
            raise ConnectionLost("the client is closed", sent=False, final=True)
        now = asyncio.get_running_loop().time
        if self._session is None or now() - self._checked > CREDENTIALS_CHECK:
            async with self._opening:
                if self._session is None or now() - self._checked > CREDENTIALS_CHECK:
                    await self._renew()
                    self._checked = now()
        if self._session is None:
            connector = aiohttp.TCPConnector(keepalive_timeout=IDLE_CONNECTION, limit=0, socket_factory=open_socket)
            self._session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": self._user_agent})
        return self._session, self._endpoints[self._next % len(self._endpoints)]

    async def _ask_plugin(self) -> bool:
        """Has credentials of the kubeconfig's program that are not about to end; whether they are new."""
        plugin, present = self._config.exec_plugin, self._credential
        if plugin is None:
            return False
        soon = datetime.now(UTC) + timedelta(seconds=2 * CREDENTIALS_CHECK)
        if present is not None and not self._refused and (present.expires is None or present.expires > soon):
            return False
        self._credential = await exec_plugin.run(plugin)
        self._refused = False
        return True

    async def _renew(self) -> None:
        """Takes up renewed certificates (for new connections; pooled ones go on) and tokens."""
        try:
            files, token = await asyncio.to_thread(_read_credentials, self._config)
            asked = await self._ask_plugin()
            if self._session is not None and files == self._files and not asked:
                return
            tls = self._config.tls
            if self._credential is not None:
                token = self._credential.token
                tls = dataclasses.replace(
                    tls or TlsConfig(), cert_data=self._credential.certificate, key_data=self._credential.key
                )
            if tls is not None:
                self._context = await asyncio.to_thread(ssl_context, tls)
        except (OSError, ssl.SSLError, ExecPluginError) as error:
            if self._session is None:
                raise ConnectionLost(f"cannot read the credentials: {error}", sent=False, final=True) from error
            logger.warning("cannot read renewed credentials, going on with the old ones: %s", error)
            return
        self._files, self._token = files, token


def open_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for getaddrinfo's `address`, on which the kernel notices a dead server as gRPC's keepalive would."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def ssl_context(tls: TlsConfig) -> ssl.SSLContext:
    """Trusts and shows what `tls` says. Raises OSError or SSLError."""
    loaded = tls.load()
    context = ssl.create_default_context(cadata=loaded.ca.decode() if loaded.ca else None)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if loaded.cert and loaded.key:
        # OpenSSL's binding reads certificates from files only.
        with tempfile.TemporaryDirectory(prefix="kubeactors-") as directory:
            pair = Path(directory, "client.pem")
            pair.touch(mode=0o600)
            pair.write_bytes(loaded.cert.rstrip() + b"\n" + loaded.key)
            context.load_cert_chain(pair)
    return context


def _read_credentials(config: ClientConfig) -> tuple[Mapping[Path, tuple[int, int]], str | None]:
    """What tells whether files have changed, and the token."""
    tls = config.tls or TlsConfig()
    files = {}
    for name in (tls.ca_file, tls.cert_file, tls.key_file, config.token_file):
        if name is not None:
            found = Path(name).stat()
            files[Path(name)] = (found.st_mtime_ns, found.st_ino)
    token = config.token_file.read_text().strip() if config.token_file is not None else config.token
    return files, token


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> StatusError:
    """The server's Status; for answers that are none (a proxy's), one made of what came."""
    status: Any = None
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        logger.debug("an answer of %s is not JSON", response.url)
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = body[:1024].decode(errors="replace").strip()
        status = status_failure(response.status, "", text or str(response.reason))
    after = response.headers.get("Retry-After", "")
    if after.isdigit() and int(after) > 0:
        status.setdefault("details", {}).setdefault("retryAfterSeconds", int(after))
    return from_status(status)
