"""Calls and their answers as plain values. AsyncClient makes them, a transport carries them, tests can look at them."""

from __future__ import annotations

from dataclasses import dataclass

from kubeactors.client.resource import Resource


@dataclass(frozen=True, slots=True)
class Target:
    """What a call is about. An empty name means the collection, an empty namespace all namespaces or none."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class GetCall:
    target: Target
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class ListCall:
    target: Target
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class CreateCall:
    target: Target
    body: bytes
    options: WriteOptions = WriteOptions()


@dataclass(frozen=True, slots=True)
class UpdateCall:
    target: Target
    body: bytes
    options: WriteOptions = WriteOptions()


@dataclass(frozen=True, slots=True)
class PatchCall:
    target: Target
    content_type: str
    body: bytes
    options: WriteOptions = WriteOptions()


@dataclass(frozen=True, slots=True)
class DeleteCall:
    target: Target
    options: bytes = b""
    """A DeleteOptions document, or nothing."""


@dataclass(frozen=True, slots=True)
class DeleteCollectionCall:
    target: Target
    label_selector: str = ""
    field_selector: str = ""
    options: bytes = b""


Call = GetCall | ListCall | CreateCall | UpdateCall | PatchCall | DeleteCall | DeleteCollectionCall
ReadCalls = (GetCall, ListCall)


@dataclass(frozen=True, slots=True)
class WatchCall:
    target: Target
    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    allow_bookmarks: bool = False
    timeout_seconds: int = 0


@dataclass(frozen=True, slots=True)
class LogsCall:
    namespace: str
    pod: str
    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ObjectReply:
    body: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListReply:
    """Items are JSON documents with `apiVersion` and `kind`."""

    items: tuple[bytes, ...]
    resource_version: str
    continue_: str = ""
    remaining_item_count: int = 0


Reply = ObjectReply | ListReply


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One watch event whose object is still JSON."""

    type: str
    object: bytes
