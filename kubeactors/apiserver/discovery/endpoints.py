"""The bytes of the discovery documents, made once and kept while the kinds stay the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from kubeactors.api.kinds import KindRegistry
from kubeactors.apiserver.discovery import documents
from kubeactors.apiserver.http.negotiate import JSON, MediaForm

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class CachedDocument:
    """A body with its content type; an aggregated document also has an entity tag and may be cached by anybody."""

    body: bytes
    content_type: str = JSON
    etag: str = ""


class Discovery:
    """Discovery of one registry, and of what `remote` says that other servers serve."""

    def __init__(
        self, registry: KindRegistry, remote: Callable[[], Sequence[documents.RemoteVersion]] = lambda: ()
    ) -> None:
        self._registry = registry
        self._remote = remote
        #: "host:port" where clients are told to find the server.
        self.server_address = ""
        self._documents: dict[tuple[str, ...], CachedDocument | None] = {}

    def changed(self) -> None:
        """Forget what was made: kinds came or went."""
        self._documents.clear()

    def find(self, parts: list[str], form: MediaForm) -> CachedDocument | None:
        """The document at a path's segments, None if nothing is served there. Only /api and /apis aggregate."""
        match parts:
            case ["api"]:
                if form.kind:
                    return self._aggregated(core=True)
                return self._kept(parts, lambda: documents.api_versions(self.server_address))
            case ["apis"]:
                if form.kind:
                    return self._aggregated(core=False)
                return self._kept(parts, lambda: documents.api_group_list(self._registry, self._remote()))
            case ["apis", group]:
                return self._kept(parts, lambda: documents.api_group(self._registry, group, self._remote()))
            case ["api", version]:
                return self._kept(parts, lambda: documents.api_resource_list(self._registry, "", version))
            case ["apis", group, version]:
                return self._kept(parts, lambda: documents.api_resource_list(self._registry, group, version))
        return None

    def _kept(self, parts: list[str], make: Callable[[], documents.Document | None]) -> CachedDocument | None:
        key = tuple(parts)
        if key not in self._documents:
            document = make()
            if document is None:
                return None  # not kept: a client could ask for any number of names
            self._documents[key] = CachedDocument(orjson.dumps(document))
        return self._documents[key]

    def _aggregated(self, *, core: bool) -> CachedDocument | None:
        key = ("aggregated", "api" if core else "apis")
        if key not in self._documents:
            body = orjson.dumps(documents.aggregated(self._registry, core=core, remote=self._remote()))
            etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
            self._documents[key] = CachedDocument(body, AGGREGATED_TYPE, etag)
        return self._documents[key]
