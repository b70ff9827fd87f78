"""This server as the client of extension API servers: a front proxy, which shows a certificate of its own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from kubeactors.apiserver.aggregation.identity import identity_headers
from kubeactors.apiserver.aggregation.remote import Remote
from kubeactors.apiserver.aggregation.route import Route
from kubeactors.apiserver.request import UserInfo
from kubeactors.apiserver.streams.proxy.http import Backends, failure_words
from kubeactors.apiserver.streams.proxy.urls import Location

logger = logging.getLogger(__name__)

#: Whom this server asks as where it asks for itself.
AGGREGATOR = UserInfo("system:kube-aggregator", ("system:masters",))
#: Seconds for an answer to a question of its own.
TIMEOUT = 5.0
#: The largest document that is taken from an extension API server, in bytes.
MAX_DOCUMENT = 32 * 1024 * 1024


class Unanswered(Exception):
    """An extension API server did not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer."""

    status: int
    body: bytes
    etag: str = ""


class FrontProxy:
    """`certificate` and `key` are PEM files; without them it shows nothing, and few servers will believe it."""

    def __init__(self, backends: Backends, certificate: Path | None, key: Path | None) -> None:
        self.backends = backends
        self._certificate = certificate
        self._key = key

    async def prepare(self, route: Route) -> ssl.SSLContext | None:
        """The TLS of a route, made when it is first needed; None where it cannot be (`route.tls_error` says why)."""
        if route.tls is None and not route.tls_error:
            try:
                route.tls = await asyncio.to_thread(self.context, route.remote)
            except (OSError, ValueError) as error:
                route.tls_error = str(error)
                logger.warning("APIService %s: %s", route.remote.name, error)
        return route.tls

    def context(self, remote: Remote) -> ssl.SSLContext:
        """The TLS with which requests go to a server. Reads files. Raises OSError, ValueError."""
        if remote.insecure:
            return self.unchecked()
        authorities = None
        if remote.ca_bundle:
            try:
                authorities = base64.b64decode(remote.ca_bundle).decode("ascii")
            except (binascii.Error, UnicodeDecodeError) as error:
                raise ValueError(f"unable to load root certificates: {error}") from error
        context = ssl.create_default_context(cadata=authorities)
        # Go asks no more of a certificate than RFC 5280 does in its older reading, and never takes the common name.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.hostname_checks_common_name = False
        return self._identified(context)

    def unchecked(self) -> ssl.SSLContext:
        """The TLS with which it is asked whether a server is there. Reads files. Raises OSError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self._identified(context)

    def _identified(self, context: ssl.SSLContext) -> ssl.SSLContext:
        if self._certificate is not None and self._key is not None:
            context.load_cert_chain(self._certificate, self._key)
        return context

    async def get(
        self,
        location: Location,
        path: str,
        tls: ssl.SSLContext,
        server_name: str,
        *,
        accept: str = "",
        etag: str = "",
        timeout: float = TIMEOUT,
    ) -> Fetched:
        """A document, asked for as the aggregator itself. `etag`: that of what is known. Raises Unanswered."""
        headers = CIMultiDict(identity_headers(AGGREGATOR))
        if accept:
            headers["Accept"] = accept
        if etag:
            headers["If-None-Match"] = etag
        url = URL(f"https://{location.authority}{path}", encoded=True)
        try:
            async with self.backends.session.get(
                url,
                headers=headers,
                ssl=tls,
                server_hostname=server_name,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > MAX_DOCUMENT:
                        raise Unanswered(f"{path}: the answer is longer than {MAX_DOCUMENT} bytes")
                return Fetched(answer.status, bytes(body), answer.headers.get("Etag", ""))
        except TimeoutError as error:
            raise Unanswered(f'Get "{url}": context deadline exceeded') from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(f'Get "{url}": {failure_words(error, location)}') from error
