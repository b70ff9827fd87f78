"""The scale subresource: an autoscaling/v1 Scale as another face of an object with replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from kubeactors.api import codec, errors, fielderrors
from kubeactors.api.customresources.jsonpath import simple_fields
from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.customresources.scale import custom_scale, scale_custom
from kubeactors.api.kinds import Kind
from kubeactors.api.kinds.kind import AGE_COLUMN, Column
from kubeactors.api.managedfields import Tracker, elements, name_of
from kubeactors.api.managedfields.fieldset import Path
from kubeactors.api.managedfields.scale import (
    SCALE_REPLICAS,
    SCALE_SCHEMA,
    SCALE_VERSION,
    ScaleManagers,
    scale_tracker,
)
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.patch import PATCH_TYPES, apply_patch
from kubeactors.api.printers.text import age, name
from kubeactors.api.schema import decoder_for, struct
from kubeactors.api.selectors import from_label_selector, from_map
from kubeactors.apiserver.options import check_write
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.applying import Configuration
from kubeactors.apiserver.registry.reads import Reader
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import Writer, check_name, check_namespace
from kubeactors.apiserver.request import APPLY_PATCH, STRATEGIC_PATCH, Form, Request, Response

KIND, API_VERSION = "Scale", SCALE_VERSION
_SCHEMA = SCALE_SCHEMA
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def _cells(scale: Object, now: datetime) -> list[Any]:
    return [name(scale), scale["spec"].get("replicas", 0), scale["status"].get("replicas", 0), age(scale, now)]


# How a Scale is shown as a Table; it is no kind of its own.
_SHOWN = Kind(
    group="autoscaling",
    version="v1",
    kind=KIND,
    plural="scales",
    schema=_SCHEMA,
    columns=(
        Column("Name", doc="ObjectMeta.name"),
        Column("Desired", "integer", doc="ScaleSpec.replicas"),
        Column("Available", "integer", doc="ScaleStatus.replicas"),
        AGE_COLUMN,
    ),
    cells=_cells,
)


def scale_of(kind: Kind, obj: Object) -> Object:
    """The Scale of an object."""
    if isinstance(kind, CustomKind):
        return custom_scale(kind.scale or {}, obj)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    scale: Object = {
        "kind": KIND,
        "apiVersion": API_VERSION,
        "metadata": {field: obj["metadata"][field] for field in _METADATA if field in obj["metadata"]},
        "spec": {},
        "status": {"replicas": status.get("replicas") or 0},
    }
    if spec.get("replicas"):
        scale["spec"]["replicas"] = spec["replicas"]
    selector = spec.get("selector")
    if selector:
        # Replication controllers select by a plain map.
        parsed = from_map(selector) if kind.plural == "replicationcontrollers" else from_label_selector(selector)
        scale["status"]["selector"] = str(parsed)
    return scale


def apply_scale(kind: Kind, obj: Object, scale: Object) -> None:
    """Make the object what its Scale says: replicas, and the preconditions on version and uid."""
    metadata, given = obj["metadata"], scale["metadata"]
    for field in ("resourceVersion", "uid"):
        if given.get(field):
            metadata[field] = given[field]
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if isinstance(kind, CustomKind):
        scale_custom(kind.scale or {}, obj, replicas)
    else:
        obj.setdefault("spec", {})["replicas"] = replicas


def check_scale(kind: Kind, scale: Object) -> None:
    """Raises StatusError (422)."""
    if kind.custom:
        return  # their validation tells it in its own words
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        cause = fielderrors.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid("Scale.autoscaling", scale["metadata"].get("name") or "", [cause])


def managers_of(kind: Kind) -> ScaleManagers:
    """Who manages the replicas of a kind's objects, between these and their Scales."""
    if not isinstance(kind, CustomKind):
        return ScaleManagers(kind.api_version, {kind.api_version: SCALE_REPLICAS})
    paths: dict[str, Path | None] = {f"{kind.group}/{version}": None for version in kind.schemas}
    paths[kind.api_version] = elements.path(*simple_fields((kind.scale or {}).get("specReplicasPath") or ""))
    return ScaleManagers(kind.api_version, paths)


# From the Scale as it is, with its managers, to the one that is wanted, with its.
_Rescaled = Callable[[Object], Object]


class Scales:
    """get, update and patch of the scale of any kind that has one."""

    def __init__(self, reader: Reader, writer: Writer, clock: forms.Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    @cached_property
    def _tracker(self) -> Tracker:
        return scale_tracker()

    async def handle(self, resource: Resource, request: Request) -> Response:
        if request.verb == "get":
            item = await self._reader.item(resource, request.namespace, request.name, request.options.resource_version)
            return self._answer(resource, request, item)
        check_write(request)
        if request.verb == "update":
            return await self._update(resource, request)
        if request.content_type == APPLY_PATCH:
            return await self._apply(resource, request)
        return await self._patch(resource, request)

    async def _update(self, resource: Resource, request: Request) -> Response:
        decoded = codec.decode_definition(
            _SCHEMA,
            KIND,
            API_VERSION,
            request.body,
            content_type=request.content_type,
            field_validation=request.options.field_validation or codec.WARN,
        )
        check_name(decoded.obj, request.name)
        check_namespace(decoded.obj, request.namespace)
        check_scale(resource.kind, decoded.obj)

        def rescaled(scale: Object) -> Object:
            new: Object = codec.copy(decoded.obj)
            self._track(request, scale, new)
            return new

        return await self._write(resource, request, rescaled, decoded.warnings)

    async def _patch(self, resource: Resource, request: Request) -> Response:
        if request.content_type not in PATCH_TYPES:
            raise errors.unsupported_media_type(None)
        schema = struct(_SCHEMA) if request.content_type == STRATEGIC_PATCH else None
        warnings: list[str] = []

        def rescaled(scale: Object) -> Object:
            validation = request.options.field_validation or codec.WARN
            patched = apply_patch(request.content_type, codec.copy(scale), request.body, schema, validation)
            decoded = codec.decode_patched_as(
                KIND,
                API_VERSION,
                decoder_for(_SCHEMA),
                patched,
                schema=_SCHEMA,
                field_validation=validation,
                patch=request.body,
                strategic=request.content_type == STRATEGIC_PATCH,
            )
            self._track(request, scale, decoded.obj)
            check_name(decoded.obj, request.name)
            check_scale(resource.kind, decoded.obj)
            warnings[:] = decoded.warnings
            return decoded.obj

        return await self._write(resource, request, rescaled, warnings)

    async def _apply(self, resource: Resource, request: Request) -> Response:
        configuration = Configuration(request)
        warnings: list[str] = []

        def rescaled(scale: Object) -> Object:
            new, found = configuration.apply(self._tracker, scale, now_rfc3339(self._clock()), _decode)
            if resource.kind.custom and new["spec"] != scale["spec"]:
                # The conversion of custom resources knows no Scale, in Kubernetes too.
                message = f"request to convert CR to an invalid group/version: {API_VERSION}"
                raise configuration.unconvertible(message)
            check_namespace(new, request.namespace)
            check_name(new, request.name)
            check_scale(resource.kind, new)
            warnings[:] = found
            return new

        return await self._write(resource, request, rescaled, warnings)

    def _track(self, request: Request, old: Object, new: Object) -> None:
        manager = name_of(request.options.field_manager, request.user_agent)
        self._tracker.update(old, new, manager, now_rfc3339(self._clock()))

    async def _write(self, resource: Resource, request: Request, rescaled: _Rescaled, warnings: list[str]) -> Response:
        kind = resource.kind
        managers = managers_of(kind)

        def wanted(old: Object | None) -> Object:
            assert old is not None
            metadata = old["metadata"]
            entries = metadata.get("managedFields")
            scale = scale_of(kind, old)
            if of_scale := managers.to_scale(entries):
                scale["metadata"]["managedFields"] = of_scale
            new = rescaled(scale)
            apply_scale(kind, old, new)
            left = managers.to_parent(entries, new["metadata"].get("managedFields"))
            if left:
                metadata["managedFields"] = left
            else:
                metadata.pop("managedFields", None)
            return old

        item, _ = await self._writer.apply(resource, request, wanted, tracked=False, strategy=kind.strategy)
        return self._answer(resource, request, item, warnings)

    def _answer(self, resource: Resource, request: Request, item: bytes, warnings: Sequence[str] = ()) -> Response:
        scale = scale_of(resource.kind, resource.decode(item))
        if request.form is Form.OBJECT:
            body = orjson.dumps(scale)
        else:
            body = forms.render_object(_SHOWN, scale, request, self._clock)
        return Response(200, body, warnings=warnings)


def _decode(scale: Object) -> None:
    decoder_for(_SCHEMA)(scale)
