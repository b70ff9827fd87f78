"""What users give to the client's methods, checked and brought into the API's form before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import orjson

from kubeactors.client.resource import Resource
from kubeactors.client.results import Object

PatchType = Literal["merge", "json", "strategic"]
FieldValidation = Literal["Ignore", "Warn", "Strict"]
PropagationPolicy = Literal["Background", "Foreground", "Orphan"]
VersionMatch = Literal["Exact", "NotOlderThan"]
#: A selector as the API writes it, "app=web,tier!=front", or what must be equal: {"app": "web"}.
Selector = str | Mapping[str, str]

APPLY_CONTENT_TYPE = "application/apply-patch+yaml"
PATCH_CONTENT_TYPES: Mapping[str, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_ESCAPES = str.maketrans({"\\": "\\\\", ",": "\\,", "=": "\\="})


def label_selector(given: Selector | None) -> str:
    """The selector's text."""
    if given is None or isinstance(given, str):
        return given or ""
    return ",".join(f"{name}={value}" for name, value in given.items())


def field_selector(given: Selector | None) -> str:
    """The selector's text."""
    if given is None or isinstance(given, str):
        return given or ""
    return ",".join(f"{path}={value.translate(_ESCAPES)}" for path, value in given.items())


def one_name(name: str, resource: Resource) -> str:
    """Raises ValueError for an empty one, by which the API would mean the whole collection."""
    if not name:
        raise ValueError(f"which of {resource.qualified_name}? The name is empty")
    return name


def name_of(obj: Object) -> str:
    """The name in an object's metadata. Raises ValueError when there is none."""
    name = (obj.get("metadata") or {}).get("name")
    if not name or not isinstance(name, str):
        raise ValueError(f"the object has no metadata.name: {_shown(obj)}")
    return name


def kind_of(obj: Object) -> tuple[str, str]:
    """An object's apiVersion and kind. Raises ValueError when it has not both."""
    if not obj.get("apiVersion") or not obj.get("kind"):
        raise ValueError(f"the object does not say its apiVersion and kind: {_shown(obj)}")
    return obj["apiVersion"], obj["kind"]


def patch_content_type(patch_type: str, patch: Object | Sequence[Object]) -> str:
    """Raises ValueError for an unknown type, and for a patch that is not of its form."""
    found = PATCH_CONTENT_TYPES.get(patch_type)
    if found is None:
        raise ValueError(f"patch_type {patch_type!r} is not one of {', '.join(PATCH_CONTENT_TYPES)}")
    if isinstance(patch, Mapping) == (patch_type == "json"):
        form = "a list of operations" if patch_type == "json" else "an object; for a list of operations say 'json'"
        raise ValueError(f"a patch of patch_type {patch_type!r} is {form}")
    return found


def command_line(command: Sequence[str]) -> tuple[str, ...]:
    """Raises TypeError for a text, whose letters would be taken for arguments, and ValueError for nothing."""
    if isinstance(command, (str, bytes)):
        raise TypeError('a command is a list of arguments: ["sh", "-c", "…"] has a shell read a text')
    if not command:
        raise ValueError("the command is empty")
    return tuple(command)


def typed(obj: Object, resource: Resource) -> Object:
    """`obj` with apiVersion and kind, which users may leave out when they name the resource."""
    if "kind" in obj and "apiVersion" in obj:
        return obj
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def delete_options(
    grace_period_seconds: int | None,
    propagation_policy: PropagationPolicy | None,
    preconditions: Mapping[str, str] | None,
    dry_run: bool,
) -> bytes:
    """A DeleteOptions document; empty where nothing was said."""
    options: Object = {}
    if grace_period_seconds is not None:
        options["gracePeriodSeconds"] = grace_period_seconds
    if propagation_policy is not None:
        options["propagationPolicy"] = propagation_policy
    if preconditions:
        options["preconditions"] = dict(preconditions)
    if dry_run:
        options["dryRun"] = ["All"]
    if not options:
        return b""
    return orjson.dumps({"apiVersion": "v1", "kind": "DeleteOptions", **options})


def _shown(obj: Object) -> str:
    """As much of an object as an error should show: never its content, which may be secret."""
    metadata = obj.get("metadata") or {}
    return f"apiVersion {obj.get('apiVersion')!r}, kind {obj.get('kind')!r}, name {metadata.get('name')!r}"
