"""The bytes of the OpenAPI documents: made when first asked for, on another thread, and kept with their gzip form."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.http.encode import gzip
from kubeactors.apiserver.openapi import documents, v2_protobuf
from kubeactors.apiserver.openapi.general import general_paths
from kubeactors.apiserver.openapi.merging import merged

_SORTED = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class OpenApiDocument:
    """A document, plain and compressed, with its entity tag."""

    body: bytes
    compressed: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class RemoteDocuments:
    """What another server gives for a group version: the hash of its OpenAPI v3 document, empty for none, and its paths
    and definitions in Swagger 2.0. `path` is `apis/GROUP/VERSION`."""

    path: str
    hash: str
    swagger: Mapping[str, Any] | None


class OpenApi:
    """The OpenAPI documents of one registry, with what `remote` says that other servers give."""

    def __init__(self, registry: KindRegistry, remote: Callable[[], Sequence[RemoteDocuments]] = lambda: ()) -> None:
        self._registry = registry
        self._remote = remote
        self._documents: dict[str, OpenApiDocument] = {}
        self._making = asyncio.Lock()

    def changed(self) -> None:
        """Forget what custom resources and other servers have a part in: some came or went."""
        builtin = {
            f"v3/{path}"
            for path, (group, _) in documents.group_paths(self._registry).items()
            if not self._registry.is_custom_group(group)
        }
        builtin |= {f"v3/{name}" for name in general_paths(self._registry.all())}
        self._documents = {key: document for key, document in self._documents.items() if key in builtin}

    async def v2(self) -> OpenApiDocument:
        """The document at /openapi/v2."""
        document = self._swagger()
        return await self._kept("v2", lambda: orjson.dumps(document(), option=_SORTED))

    async def v2_protobuf(self) -> OpenApiDocument:
        """The same in protobuf."""
        document = self._swagger()
        return await self._kept("v2-protobuf", lambda: v2_protobuf.encode(document()))

    def _swagger(self) -> Callable[[], documents.Document]:
        """Makes the document of all kinds that there are now; for another thread."""
        kinds = self._registry.all()
        parts = [each.swagger for each in self._remote() if each.swagger is not None]
        return lambda: functools.reduce(merged, parts, documents.document_v2(kinds))

    async def v3_index(self) -> OpenApiDocument:
        """The document at /openapi/v3."""
        index = documents.index_v3(self._registry)
        for each in self._remote():
            if each.hash:
                index["paths"][each.path] = documents.link(each.path, each.hash)
        return await self._kept("v3", lambda: orjson.dumps(index, option=_SORTED))

    async def v3(self, path: str) -> OpenApiDocument | None:
        """The document at /openapi/v3/PATH, None if the index does not name it."""
        general = general_paths(self._registry.all()).get(path)
        if general is not None:
            return await self._kept(f"v3/{path}", lambda: orjson.dumps(documents.general_v3(general), option=_SORTED))
        served = documents.group_paths(self._registry).get(path)
        if served is None:
            return None
        kinds = [kind for kind in self._registry.all() if (kind.group, kind.version) == served]
        return await self._kept(f"v3/{path}", lambda: orjson.dumps(documents.document_v3(kinds), option=_SORTED))

    def served_paths(self) -> list[str]:
        """`api/v1`, `apis/apps/v1`, …: the versions that have a document."""
        return list(documents.group_paths(self._registry))

    def hash_of(self, path: str) -> str | None:
        """The hash with which the index links to a document."""
        if path in general_paths(self._registry.all()):
            return documents.general_hash(path)
        served = documents.group_paths(self._registry).get(path)
        return documents.content_hash(self._registry, *served) if served is not None else None

    async def _kept(self, key: str, make: Callable[[], bytes]) -> OpenApiDocument:
        async with self._making:
            kept = self._documents  # another, when something changes meanwhile
            if key not in kept:
                kept[key] = await asyncio.to_thread(_encode, make)
            return kept[key]


def _encode(make: Callable[[], bytes]) -> OpenApiDocument:
    body = make()
    etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return OpenApiDocument(body, gzip(body, 3), etag)
