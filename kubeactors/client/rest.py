"""Calls ↔ the URLs, queries and bodies of the REST API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

from kubeactors.client.calls import (
    Call,
    CreateCall,
    DeleteCall,
    DeleteCollectionCall,
    GetCall,
    ListCall,
    ListReply,
    LogsCall,
    ObjectReply,
    PatchCall,
    RawEvent,
    Target,
    UpdateCall,
    WatchCall,
    WriteOptions,
)

JSON = "application/json"
# The form in which Kubernetes writes events: the object is cut out, not decoded.
_EVENT = re.compile(rb'\{"type":"([A-Z]+)","object":(\{.*\})\}', re.DOTALL)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""


def path_of(target: Target) -> str:
    """`/apis/<group>/<version>/namespaces/<namespace>/<plural>/<name>/<subresource>`, with what there is."""
    resource = target.resource
    parts = ["", "apis", resource.group, resource.version] if resource.group else ["", "api", resource.version]
    if target.namespace and resource.namespaced:
        parts += ["namespaces", quote(target.namespace, safe="")]
    parts.append(resource.plural)
    if target.name:
        parts.append(quote(target.name, safe=""))
        if target.subresource:
            parts.append(target.subresource)
    return "/".join(parts)


def request(call: Call) -> Request:
    """The HTTP request that makes this call."""
    path = path_of(call.target)
    match call:
        case GetCall():
            return Request("GET", path, _query(resourceVersion=call.resource_version))
        case ListCall():
            query = _query(
                labelSelector=call.label_selector,
                fieldSelector=call.field_selector,
                limit=call.limit,
                resourceVersion=call.resource_version,
                resourceVersionMatch=call.resource_version_match,
            )
            if call.continue_:
                query["continue"] = call.continue_
            return Request("GET", path, query)
        case CreateCall():
            return Request("POST", path, _options(call.options), call.body, JSON)
        case UpdateCall():
            return Request("PUT", path, _options(call.options), call.body, JSON)
        case PatchCall():
            return Request("PATCH", path, _options(call.options), call.body, call.content_type)
        case DeleteCall():
            return Request("DELETE", path, {}, call.options, JSON if call.options else "")
        case DeleteCollectionCall():
            query = _query(labelSelector=call.label_selector, fieldSelector=call.field_selector)
            return Request("DELETE", path, query, call.options, JSON if call.options else "")


def watch_path(call: WatchCall) -> tuple[str, dict[str, str]]:
    query = _query(
        watch=True,
        labelSelector=call.label_selector,
        fieldSelector=call.field_selector,
        resourceVersion=call.resource_version,
        allowWatchBookmarks=call.allow_bookmarks,
        timeoutSeconds=call.timeout_seconds,
    )
    return path_of(call.target), query


def logs_path(call: LogsCall) -> tuple[str, dict[str, str]]:
    path = f"/api/v1/namespaces/{quote(call.namespace, safe='')}/pods/{quote(call.pod, safe='')}/log"
    query = _query(
        container=call.container,
        follow=call.follow,
        previous=call.previous,
        timestamps=call.timestamps,
        sinceTime=call.since_time,
    )
    for name, number in (
        ("tailLines", call.tail_lines),
        ("sinceSeconds", call.since_seconds),
        ("limitBytes", call.limit_bytes),
    ):
        if number is not None:
            query[name] = str(number)
    return path, query


def raw_event(line: bytes) -> RawEvent:
    """One line of a watch."""
    match = _EVENT.fullmatch(line)
    if match is not None:
        return RawEvent(match[1].decode(), match[2])
    event = orjson.loads(line)
    return RawEvent(event["type"], orjson.dumps(event["object"]))


def list_reply(body: bytes) -> ListReply:
    """A list, its items given the kind and apiVersion that REST leaves out of them."""
    document = orjson.loads(body)
    metadata = document.get("metadata") or {}
    kind = {"apiVersion": document["apiVersion"], "kind": document["kind"].removesuffix("List")}
    items = tuple(orjson.dumps({**kind, **item}) for item in document.get("items") or ())
    return ListReply(
        items,
        metadata.get("resourceVersion", ""),
        metadata.get("continue", ""),
        int(metadata.get("remainingItemCount") or 0),
    )


def object_reply(body: bytes, warnings: Sequence[str]) -> ObjectReply:
    return ObjectReply(body, tuple(_warning_text(header) for header in warnings))


def _warning_text(header: str) -> str:
    """The text of a Warning header (RFC 7234 §5.5): `299 - "text"`."""
    match = re.match(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"', header)
    return re.sub(r"\\(.)", r"\1", match[1]) if match else header


def _options(options: WriteOptions) -> dict[str, str]:
    return _query(
        dryRun="All" if options.dry_run else "",
        fieldManager=options.field_manager,
        fieldValidation=options.field_validation,
        force=options.force,
    )


def _query(**values: str | int | bool) -> dict[str, str]:
    return {
        name: ("true" if value is True else str(value)) for name, value in values.items() if value not in ("", 0, False)
    }
