"""Kinds made of a CustomResourceDefinition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from kubeactors.api.customresources.columns import columns_of
from kubeactors.api.customresources.decoder import CustomDecoder
from kubeactors.api.customresources.jsonpath import json_path
from kubeactors.api.customresources.object_type import object_type
from kubeactors.api.customresources.strategy import CustomStatusStrategy, CustomStrategy
from kubeactors.api.customresources.structural import Structural, structural
from kubeactors.api.go_values import go_number
from kubeactors.api.kinds.kind import STATUS_VERBS, Fields, Kind, Subresource
from kubeactors.api.meta import Object
from kubeactors.api.schema import Decoder, Struct
from kubeactors.api.versions import version_order

# In the order in which Kubernetes lists them.
_VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_SCALE_SCHEMA: Final = "io.k8s.api.autoscaling.v1.Scale"


@dataclass(frozen=True, eq=False)
class CustomKind(Kind):
    """One version of a custom resource."""

    custom: bool = True
    structural: Structural = field(default_factory=Structural)
    stored_as: str = ""
    served: bool = True
    webhook: Mapping[str, Any] | None = None  # spec.conversion.webhook; None: conversion changes apiVersion only
    scale: Mapping[str, Any] | None = None  # the scale subresource's paths
    definition: str = ""  # name of the CustomResourceDefinition
    # The schemas of all versions, served or not: stored objects may be of any of them.
    schemas: Mapping[str, Structural] = field(default_factory=dict)

    @cached_property
    def decoder(self) -> Decoder:
        return CustomDecoder(self.structural)

    @cached_property
    def object_type(self) -> Struct:
        return object_type(self.structural, self.schema)

    @property
    def storage_version(self) -> str:
        return self.stored_as


def kinds_of(crd: Object) -> list[CustomKind]:
    """One kind for each version that is served, and for the one that is stored; best version first."""
    spec = crd["spec"]
    names = {**spec["names"], **((crd.get("status") or {}).get("acceptedNames") or {})}
    versions = {version["name"]: version for version in spec["versions"]}
    stored_as = next(name for name, version in versions.items() if version.get("storage"))
    schemas = {name: _schema_of(version) for name, version in versions.items()}
    ordered = sorted(versions, key=version_order)
    served = [name for name in ordered if versions[name].get("served")]
    preferred = next((f"{spec['group']}/{name}" for name in served if not versions[name].get("deprecated")), "")
    used = [name for name in ordered if name in served or name == stored_as]
    return [_kind(crd, versions[name], names, schemas, stored_as, preferred) for name in used]


def _schema_of(version: Mapping[str, Any]) -> Structural:
    return structural((version.get("schema") or {}).get("openAPIV3Schema") or {})


def _kind(
    crd: Object,
    version: Mapping[str, Any],
    names: Mapping[str, Any],
    schemas: Mapping[str, Structural],
    stored_as: str,
    preferred: str,
) -> CustomKind:
    spec, name = crd["spec"], version["name"]
    group, kind = spec["group"], names["kind"]
    api_version = f"{group}/{name}"
    namespaced = spec["scope"] == "Namespaced"
    subresources = version.get("subresources") or {}
    status, scale = "status" in subresources, subresources.get("scale")
    strategy = CustomStrategy(api_version, kind, schemas[name], namespaced=namespaced, status=status, scale=scale)
    columns, cells = columns_of(version.get("additionalPrinterColumns") or ())
    selectable = [each["jsonPath"] for each in version.get("selectableFields") or ()]
    return CustomKind(
        group=group,
        version=name,
        kind=kind,
        plural=names["plural"],
        schema=schema_name(group, name, kind),
        singular=names.get("singular") or kind.lower(),
        namespaced=namespaced,
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        verbs=_VERBS,
        subresources=_subresources(strategy, status, scale),
        strategy=strategy,
        columns=columns,
        cells=cells,
        field_labels=tuple(path.removeprefix(".") for path in selectable),
        field_values=_selected(selectable),
        legacy_field_errors=True,
        unconditional_update=False,
        deprecation=_deprecation(version, api_version, kind, preferred),
        storage_path=f"{group}/{names['plural']}",
        list_kind=names.get("listKind") or "",
        structural=schemas[name],
        stored_as=stored_as,
        served=bool(version.get("served")),
        webhook=_webhook(spec),
        scale=scale,
        definition=crd["metadata"]["name"],
        schemas=schemas,
    )


def _webhook(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    conversion = spec.get("conversion") or {}
    return conversion.get("webhook") or {} if conversion.get("strategy") == "Webhook" else None


def schema_name(group: str, version: str, kind: str) -> str:
    """The name of the schema in OpenAPI documents: `com.example.stable.v1.CronTab`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def _subresources(strategy: CustomStrategy, status: bool, scale: Any) -> tuple[Subresource, ...]:
    made = []
    if status:
        made.append(Subresource("status", ("get", "patch", "update"), strategy=CustomStatusStrategy(strategy)))
    if scale is not None:
        made.append(
            Subresource("scale", STATUS_VERBS, kind="Scale", group="autoscaling", version="v1", schema=_SCALE_SCHEMA)
        )
    return tuple(made)


def _selected(paths: list[str]) -> Fields:
    finders = [(path.removeprefix("."), json_path(path)) for path in paths]

    def fields(obj: Object) -> dict[str, str]:
        return {label: _text(find(obj)) for label, find in finders}

    return fields


def _text(found: list[Any]) -> str:
    """A field's value as field selectors see it; empty without one."""
    value = found[0] if found else None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_number(value) if isinstance(value, int | float) else ""


def _deprecation(version: Mapping[str, Any], api_version: str, kind: str, preferred: str) -> str:
    if not version.get("deprecated"):
        return ""
    text: str | None = version.get("deprecationWarning")
    if text is not None:
        return text
    instead = f"; use {preferred} {kind}" if preferred and _better(preferred, api_version) else ""
    return f"{api_version} {kind} is deprecated{instead}"


def _better(preferred: str, api_version: str) -> bool:
    return version_order(preferred.rpartition("/")[2]) < version_order(api_version.rpartition("/")[2])
