"""The scale subresource: an autoscaling/v1 Scale as another face of an object with replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kubeactors.api import codec, errors, fielderrors
from kubeactors.api.customresources.kinds import CustomKind
from kubeactors.api.customresources.scale import custom_scale, scale_custom
from kubeactors.api.kinds import Kind
from kubeactors.api.kinds.kind import AGE_COLUMN, Column
from kubeactors.api.meta import Object
from kubeactors.api.patch import PATCH_TYPES, apply_patch
from kubeactors.api.printers.text import age, name
from kubeactors.api.schema import decoder_for, struct
from kubeactors.api.selectors import from_label_selector, from_map
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.reads import Reader
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import Writer, check_name, check_namespace
from kubeactors.apiserver.request import STRATEGIC_PATCH, Form, Request, Response

KIND, API_VERSION = "Scale", "autoscaling/v1"
_SCHEMA = "io.k8s.api.autoscaling.v1.Scale"
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
        "status": {},
    }
    if spec.get("replicas"):
        scale["spec"]["replicas"] = spec["replicas"]
    if status.get("replicas"):
        scale["status"]["replicas"] = status["replicas"]
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


class Scales:
    """get, update and patch of the scale of any kind that has one."""

    def __init__(self, reader: Reader, writer: Writer, clock: forms.Clock) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock

    async def handle(self, resource: Resource, request: Request) -> Response:
        if request.verb == "get":
            item = await self._reader.item(resource, request.namespace, request.name, request.options.resource_version)
            return self._answer(resource, request, item)
        if request.verb == "update":
            return await self._update(resource, request)
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
        scale = decoded.obj
        check_name(scale, request.name)
        check_namespace(scale, request.namespace)
        check_scale(resource.kind, scale)

        def wanted(old: Object | None) -> Object:
            assert old is not None
            apply_scale(resource.kind, old, scale)
            return old

        return await self._write(resource, request, wanted, decoded.warnings)

    async def _patch(self, resource: Resource, request: Request) -> Response:
        if request.content_type not in PATCH_TYPES:
            raise errors.unsupported_media_type(None)
        schema = struct(_SCHEMA) if request.content_type == STRATEGIC_PATCH else None
        warnings: list[str] = []

        def wanted(old: Object | None) -> Object:
            assert old is not None
            patched = apply_patch(request.content_type, scale_of(resource.kind, old), request.body, schema)
            decoded = codec.decode_patched_as(
                KIND,
                API_VERSION,
                decoder_for(_SCHEMA),
                patched,
                field_validation=request.options.field_validation or codec.WARN,
                patch=request.body,
                strategic=request.content_type == STRATEGIC_PATCH,
            )
            check_name(decoded.obj, request.name)
            check_scale(resource.kind, decoded.obj)
            warnings[:] = decoded.warnings
            apply_scale(resource.kind, old, decoded.obj)
            return old

        return await self._write(resource, request, wanted, warnings)

    async def _write(
        self, resource: Resource, request: Request, wanted: Callable[[Object | None], Object], warnings: list[str]
    ) -> Response:
        item, _ = await self._writer.apply(resource, request, wanted, strategy=resource.kind.strategy)
        return self._answer(resource, request, item, warnings)

    def _answer(self, resource: Resource, request: Request, item: bytes, warnings: Sequence[str] = ()) -> Response:
        scale = scale_of(resource.kind, resource.decode(item))
        if request.form is Form.OBJECT:
            body = orjson.dumps(scale)
        else:
            body = forms.render_object(_SHOWN, scale, request, self._clock)
        return Response(200, body, warnings=warnings)
