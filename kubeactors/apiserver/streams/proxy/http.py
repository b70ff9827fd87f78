"""Passing a plain HTTP request on to a backend, and its answer back."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import zlib
from dataclasses import dataclass
from typing import cast

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from kubeactors.api import errors
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.body import tell_to_continue
from kubeactors.apiserver.http.connection import Connection
from kubeactors.apiserver.http.encode import gzip
from kubeactors.apiserver.http.stream import cancelled_when_lost
from kubeactors.apiserver.streams.proxy.headers import Headers, to_backend, to_client
from kubeactors.apiserver.streams.proxy.html import rewrite_html
from kubeactors.apiserver.streams.proxy.urls import Location, encode_path, prefix_of, rewrite
from kubeactors.apiserver.streams.upgrade import client_gone

logger = logging.getLogger(__name__)

#: Seconds to connect to a backend; the answer may take as long as it likes.
CONNECT_TIMEOUT = 30.0
#: Larger pages are passed on with their URLs as they are, in bytes.
MAX_PAGE = 4 * 1024 * 1024
_PIECE = 64 * 1024
_NO_REDIRECTS = b"the backend attempted to redirect this request, which is not permitted"


@dataclass(frozen=True, slots=True)
class Passage:
    """How requests are passed on. `server_name` is the name that the backend's certificate must have, if it is checked.

    `identity` are further headers for the backend. `patience` is how many seconds its answer may take to begin, None
    for any. `redirects`: whether answers may send the client elsewhere.
    """

    tls: ssl.SSLContext
    server_name: str | None = None
    identity: Headers | None = None
    patience: float | None = None
    redirects: bool = True


class Backends:
    """The API server as a client of what it proxies to. `tls` checks nothing: pods have no names to check (as in
    Kubernetes)."""

    def __init__(self) -> None:
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.passage = Passage(self.tls)
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Made when it is first used, on the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self.tls, keepalive_timeout=15),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                max_line_size=65536,
                max_field_size=65536,
            )
        return self._session

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def pass_on(
    http: web.BaseRequest,
    backends: Backends,
    location: Location,
    path: str,
    query: str,
    request_path: str,
    passage: Passage | None = None,
) -> web.StreamResponse:
    """Send the request to `location` and its answer to the client. Raises StatusError (503) if there is none.

    `passage` None: as to a pod or node.
    """
    passage = passage or backends.passage
    prefix = prefix_of(request_path, path)
    given = [(name, value) for name, value in http.headers.items()]
    headers = CIMultiDict([*to_backend(given, http.remote or "", request_path), *(passage.identity or ())])
    if not http.can_read_body and http.method in ("GET", "HEAD", "OPTIONS"):
        headers.popall("Content-Length", None)
    target = encode_path(path or "/") + (f"?{query}" if query else "")
    url = URL(f"{location.scheme}://{location.authority}{target}", encoded=True)
    answer: web.StreamResponse = client_gone()
    with cancelled_when_lost(cast(Connection, http.protocol)):
        tell_to_continue(http)
        try:
            async with asyncio.timeout(passage.patience) as patience:
                response = await backends.session.request(
                    http.method,
                    url,
                    headers=headers,
                    data=http.content.iter_chunked(_PIECE) if http.can_read_body else None,
                    allow_redirects=False,
                    ssl=passage.tls,
                    server_hostname=passage.server_name,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            words = "context deadline exceeded" if patience.expired() else failure_words(error, location)
            raise errors.service_unavailable(f"error trying to reach service: {words}") from error
        async with response:
            if not passage.redirects and 300 <= response.status < 400 and "Location" in response.headers:
                return Answer(502, _NO_REDIRECTS, "")
            rewriting = _Rewriting(prefix, location.authority, http.host)
            answer = await _answer(http, response, rewriting)
    return answer


class _Rewriting:
    def __init__(self, prefix: str, backend: str, host: str) -> None:
        self._prefix = prefix
        self._backend = backend
        self._host = host

    def url(self, url: str) -> str:
        return rewrite(url, prefix=self._prefix, backend=self._backend, host=self._host)


async def _answer(http: web.BaseRequest, response: aiohttp.ClientResponse, rewriting: _Rewriting) -> Answer:
    headers = to_client((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
    redirects = any(name.lower() == "location" for name, _ in headers)
    if redirects:
        headers = [(n, rewriting.url(v) if n.lower() == "location" else v) for n, v in headers]
    bodiless = http.method == "HEAD" or response.status in (204, 304) or response.status < 200
    page = None
    if not redirects and not bodiless and _is_html(response):
        page = await _Page.read(response)
    if page is not None and (changed := await asyncio.to_thread(page.rewritten, rewriting)) is not None:
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        answer = Answer(response.status, changed, "", headers)
        return answer
    sized = bodiless or any(name.lower() == "content-length" for name, _ in headers)
    answer = Answer(response.status, None, "", headers)
    chunked = answer.start(http, sized=sized)
    connection = cast(Connection, http.protocol)
    try:
        if page is not None:
            await _send(connection, page.data, chunked)
        if not bodiless:
            async for piece in response.content.iter_any():
                await _send(connection, piece, chunked)
    except (aiohttp.ClientError, OSError) as error:
        # The answer has begun: cutting it is the only way to say that it is not whole.
        logger.info("a proxied answer broke off: %s", error)
        if connection.transport is not None:
            connection.transport.abort()
        return answer
    if chunked and connection.transport is not None:
        connection.transport.write(b"0\r\n\r\n")
    return answer


async def _send(connection: Connection, data: bytes, chunked: bool) -> None:
    transport = connection.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    if data:
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        await connection._drain_helper()


def _is_html(response: aiohttp.ClientResponse) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "text/html" and response.headers.get("Content-Encoding", "") in ("", "gzip", "deflate")


class _Page:
    """A page, or the begin of one that is too long to be rewritten (`whole` is false then)."""

    def __init__(self, data: bytes, encoding: str, *, whole: bool) -> None:
        self.data = data
        self._encoding = encoding
        self._whole = whole

    @classmethod
    async def read(cls, response: aiohttp.ClientResponse) -> _Page:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_PAGE:
                break
        encoding = response.headers.get("Content-Encoding", "")
        return cls(b"".join(pieces), encoding, whole=size <= MAX_PAGE)

    def rewritten(self, rewriting: _Rewriting) -> bytes | None:
        """The page with its URLs rewritten; None when it must stay as it is."""
        if not self._whole:
            return None
        data = self.data
        if self._encoding:
            inflate = zlib.decompressobj(16 + zlib.MAX_WBITS if self._encoding == "gzip" else -zlib.MAX_WBITS)
            try:
                data = inflate.decompress(data, MAX_PAGE)
            except zlib.error:
                return None
            if not inflate.eof:
                return None
        # Latin-1 keeps every byte; tags are ASCII whatever the page's encoding is.
        page = rewrite_html(data.decode("latin-1"), rewriting.url).encode("latin-1", "xmlcharrefreplace")
        if self._encoding == "gzip":
            return gzip(page)
        if self._encoding == "deflate":
            deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            return deflate.compress(page) + deflate.flush()
        return page


def failure_words(error: BaseException, location: Location) -> str:
    """A failure to reach a backend as Go words it."""
    where = f"dial tcp {location.authority}"
    if isinstance(error, TimeoutError):
        return f"{where}: i/o timeout"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_distrust(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "http: server gave HTTP response to HTTPS client" if "WRONG_VERSION" in str(error) else str(error)
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return f"{where}: connect: {os.strerror(error.os_error.errno).lower()}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error)


def _distrust(error: Exception) -> str:
    """Why a certificate was refused, by OpenSSL's numbers (X509_V_ERR_…)."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return str(error)
    if error.verify_code in (18, 19, 20, 21):
        return "certificate signed by unknown authority"
    if error.verify_code in (9, 10):
        return "certificate has expired or is not yet valid"
    return error.verify_message
