"""The bytes of the OpenAPI documents: made when first asked for, on another thread, and kept with their gzip form."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.http.encode import gzip
from kubeactors.apiserver.openapi import documents, v2_protobuf

_SORTED = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class OpenApiDocument:
    """A document, plain and compressed, with its entity tag."""

    body: bytes
    compressed: bytes
    etag: str


class OpenApi:
    """The OpenAPI documents of one registry."""

    def __init__(self, registry: KindRegistry) -> None:
        self._registry = registry
        self._documents: dict[str, OpenApiDocument] = {}
        self._making = asyncio.Lock()

    def changed(self) -> None:
        """Forget what custom resources have a part in: some came or went."""
        builtin = {
            f"v3/{path}"
            for path, (group, _) in documents.group_paths(self._registry).items()
            if not self._registry.is_custom_group(group)
        }
        self._documents = {key: document for key, document in self._documents.items() if key in builtin}

    async def v2(self) -> OpenApiDocument:
        """The document at /openapi/v2."""
        return await self._kept("v2", lambda: orjson.dumps(documents.document_v2(self._registry.all()), option=_SORTED))

    async def v2_protobuf(self) -> OpenApiDocument:
        """The same in protobuf."""
        return await self._kept("v2-protobuf", lambda: v2_protobuf.encode(documents.document_v2(self._registry.all())))

    async def v3_index(self) -> OpenApiDocument:
        """The document at /openapi/v3."""
        return await self._kept("v3", lambda: orjson.dumps(documents.index_v3(self._registry), option=_SORTED))

    async def v3(self, path: str) -> OpenApiDocument | None:
        """The document at /openapi/v3/PATH, None if that is not a version that is served."""
        served = documents.group_paths(self._registry).get(path)
        if served is None:
            return None
        kinds = [kind for kind in self._registry.all() if (kind.group, kind.version) == served]
        return await self._kept(f"v3/{path}", lambda: orjson.dumps(documents.document_v3(kinds), option=_SORTED))

    def served_paths(self) -> list[str]:
        """`api/v1`, `apis/apps/v1`, …: the versions that have a document."""
        return list(documents.group_paths(self._registry))

    def hash_of(self, path: str) -> str | None:
        """The hash with which the index links to a version's document."""
        served = documents.group_paths(self._registry).get(path)
        return documents.content_hash(self._registry, *served) if served is not None else None

    async def _kept(self, key: str, make: Callable[[], bytes]) -> OpenApiDocument:
        async with self._making:
            if key not in self._documents:
                self._documents[key] = await asyncio.to_thread(_encode, make)
            return self._documents[key]


def _encode(make: Callable[[], bytes]) -> OpenApiDocument:
    body = make()
    etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return OpenApiDocument(body, gzip(body, 3), etag)
