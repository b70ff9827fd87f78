"""Conversion of custom resources between versions by a webhook (ConversionReview over HTTPS).

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import ssl
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import aggregate, go_quote
from kubeactors.api.meta import Object
from kubeactors.api.validation.metadata import annotation_errors, label_errors

#: Seconds that a webhook has for one review.
TIMEOUT: Final = 30.0
MAX_ANSWER: Final = 64 * 1024 * 1024
_GROUP: Final = "apiextensions.k8s.io"
_KNOWN_REVIEWS: Final = ("v1", "v1beta1")

# The cluster address of a Service (namespace, name); empty if it has none.
ServiceAddress = Callable[[str, str], str]


class _Failed(Exception):
    """Why a review came to nothing; the text completes `conversion webhook for … failed: …`."""


class _ServiceResolver(AbstractResolver):
    """Resolves `name.namespace.svc` to the Service's cluster address, anything else as the machine does."""

    def __init__(self, address_of: ServiceAddress) -> None:
        self._address_of = address_of
        self._ordinary = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        name, _, rest = host.partition(".")
        namespace, _, last = rest.partition(".")
        if last != "svc":
            return await self._ordinary.resolve(host, port, family)
        address = self._address_of(namespace, name)
        if not address:
            raise OSError(f"service {go_quote(name)} not found")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
        ]

    async def close(self) -> None:
        await self._ordinary.close()


class Webhooks:
    """The connections to conversion webhooks of all definitions."""

    def __init__(self, address_of: ServiceAddress) -> None:
        self._address_of = address_of
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, context: ssl.SSLContext, body: bytes) -> bytes:
        """The answer to a review. Raises _Failed."""
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=_ServiceResolver(self._address_of))
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._session.post(url, data=body, headers=headers, ssl=context, allow_redirects=False) as answer,
            ):
                text = await _read(answer)
                if answer.status != 200:
                    raise _Failed(f"Post {go_quote(url)}: the server answered with status {answer.status}")
                return text
        except TimeoutError:
            raise _Failed(f"Post {go_quote(url)}: context deadline exceeded") from None
        except aiohttp.ClientConnectorError as error:
            raise _Failed(f"Post {go_quote(url)}: {error.os_error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _Failed(f"Post {go_quote(url)}: {error}") from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    text = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        text += chunk
        if len(text) > MAX_ANSWER:
            raise _Failed(f"the answer is longer than {MAX_ANSWER} bytes")
    return bytes(text)


class Converter:
    """Converts the objects of one definition. `webhook` is its spec.conversion.webhook."""

    def __init__(self, webhooks: Webhooks, webhook: Mapping[str, Any]) -> None:
        self._webhooks = webhooks
        self._reviews: list[str] = webhook.get("conversionReviewVersions") or []
        self._client: Mapping[str, Any] = webhook.get("clientConfig") or {}
        self._context: ssl.SSLContext | None = None

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """The objects in another version, in order. Raises StatusError (500)."""
        first = objects[0]
        about = f"{first['apiVersion']}, Kind={first['kind']}"
        try:
            converted = await self._review(objects, api_version)
        except _Failed as error:
            raise errors.unknown(f"conversion webhook for {about} failed: {error}") from None
        if len(converted) != len(objects):
            told = f"returned {len(converted)} objects, expected {len(objects)}"
            raise errors.unknown(f"conversion webhook for {about} {told}")
        for index, (old, new) in enumerate(zip(objects, converted, strict=True)):
            _check(old, new, api_version, about, index)
        return converted

    async def _review(self, objects: Sequence[Object], api_version: str) -> list[Any]:
        version = next((each for each in self._reviews if each in _KNOWN_REVIEWS), None)
        if version is None:
            raise _Failed("no supported conversion review versions")
        uid = str(uuid.uuid4())
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{version}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
        }
        answer = await self._webhooks.post(self._url(), self._tls(), orjson.dumps(review))
        try:
            found = orjson.loads(answer)
        except orjson.JSONDecodeError as error:
            raise _Failed(f"the answer is no JSON: {error}") from None
        return _converted(found, version, uid)

    def _url(self) -> str:
        url: str | None = self._client.get("url")
        if url is not None:
            return url
        service = self._client.get("service") or {}
        path = (service.get("path") or "/").lstrip("/")
        return f"https://{service.get('name')}.{service.get('namespace')}.svc:{service.get('port') or 443}/{path}"

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            bundle = self._client.get("caBundle") or ""
            try:
                authorities = base64.b64decode(bundle).decode() if bundle else None
                self._context = ssl.create_default_context(cadata=authorities)
            except (ssl.SSLError, binascii.Error, UnicodeDecodeError, ValueError) as error:
                raise _Failed(f"unable to load root certificates: {error}") from None
        return self._context


def _converted(review: Any, version: str, uid: str) -> list[Any]:
    """The objects in an answer. Raises _Failed."""
    if not isinstance(review, dict):
        raise _Failed("the answer is no ConversionReview")
    response = review.get("response")
    if version == "v1":
        given = f"{review.get('apiVersion')}, Kind={review.get('kind')}"
        wanted = f"{_GROUP}/v1, Kind=ConversionReview"
        if given != wanted:
            raise _Failed(f"expected webhook response of {wanted}, got {given}")
        if not isinstance(response, dict):
            raise _Failed("no response provided")
        if response.get("uid") != uid:
            raise _Failed(f"expected response.uid={go_quote(uid)}, got {go_quote(str(response.get('uid') or ''))}")
    if not isinstance(response, dict):
        raise _Failed("no response provided")
    result = response.get("result") or {}
    if not isinstance(result, dict):
        raise _Failed("response.result is no object")
    if result.get("status") != "Success":
        message = result.get("message")
        raise _Failed(message or f"response.result.status was '{result.get('status') or ''}', not 'Success'")
    converted = response.get("convertedObjects") or []
    if not isinstance(converted, list):
        raise _Failed("response.convertedObjects is no list")
    return converted


def _check(old: Object, new: Any, api_version: str, about: str, index: int) -> None:
    """Refuse what a conversion must not change, and take over the metadata but labels and annotations."""
    what = f"conversion webhook for {about} returned invalid converted object at index {index}"
    if not isinstance(new, dict) or not isinstance(new.get("metadata") or {}, dict):
        raise errors.unknown(f"{what}: it is no object")
    if new.get("apiVersion") != api_version:
        told = f"invalid groupVersion (expected {api_version}, received {new.get('apiVersion') or ''})"
        raise errors.unknown(f"{what}: {told}")
    if new.get("kind") != old["kind"]:
        raise errors.unknown(f"{what}: invalid kind (expected {old['kind']}, received {new.get('kind') or ''})")
    before, after = old["metadata"], new.get("metadata") or {}
    for field, name in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if (before.get(field) or "") != (after.get(field) or ""):
            told = f"must have the same {name}: {before.get(field) or ''} != {after.get(field) or ''}"
            raise errors.unknown(f"{what}: {told}")
    metadata = {key: value for key, value in before.items() if key not in ("labels", "annotations")}
    for key, check in (("labels", label_errors), ("annotations", annotation_errors)):
        value = after.get(key)
        if not value:
            continue
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise errors.unknown(f"{what}: metadata.{key} is no map of strings")
        found = check(value, f"metadata.{key}")
        if found:
            raise errors.unknown(f"{what}: {aggregate(map(str, found))}")
        metadata[key] = value
    new["metadata"] = metadata


def failure(error: StatusError) -> bytes:
    """The Status document of a failure, for an ERROR event."""
    return orjson.dumps(error.status)
