"""Who manages which fields of an object: metadata.managedFields decoded, and back.

Source: managedfields.go, buildmanagerinfo.go of apimachinery's pkg/util/managedfields/internal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kubeactors.api.managedfields.elements import FieldsError, read_fields
from kubeactors.api.managedfields.fieldset import LEAF, Fields

APPLY: Final = "Apply"
UPDATE: Final = "Update"
FIELDS_V1: Final = "FieldsV1"

Entry = dict[str, Any]


class ManagedFieldsError(ValueError):
    """managedFields that cannot be read."""


class Manager(NamedTuple):
    """A manager's identity. An applier's has no version: whatever version it applies, it is the same manager."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""


@dataclass(slots=True)
class VersionedSet:
    """The fields of a manager, as paths of a version of the API. `time` (RFC 3339): when it last took some; or None.

    Never changed once made.
    """

    fields: Fields
    api_version: str
    applied: bool
    time: str | None = None

    def of(self, fields: Fields) -> VersionedSet:
        return self if fields is self.fields else VersionedSet(fields, self.api_version, self.applied, self.time)

    def at(self, time: str) -> VersionedSet:
        return VersionedSet(self.fields, self.api_version, self.applied, time)


@dataclass(slots=True)
class Managed:
    """All managers of an object. Functions that change one are given their own copy."""

    sets: dict[Manager, VersionedSet] = field(default_factory=dict)

    def copy(self) -> Managed:
        return Managed(dict(self.sets))


def manager(name: str, operation: str, api_version: str, subresource: str) -> Manager:
    return Manager(name, operation, "" if operation == APPLY else api_version, subresource)


def decode(entries: list[Entry] | None, *, trusted: bool = False) -> Managed:
    """`trusted`: the entries were encoded here, so the sets in them need no reading. Raises ManagedFieldsError."""
    found: dict[Manager, VersionedSet] = {}
    for index, entry in enumerate(entries or ()):
        operation = entry.get("operation")
        api_version = entry.get("apiVersion")
        kind = entry.get("fieldsType")
        if operation not in (APPLY, UPDATE):
            raise ManagedFieldsError("operation must be `Apply` or `Update`")
        if not api_version:
            raise ManagedFieldsError("apiVersion must not be empty")
        if not kind:
            raise ManagedFieldsError(f"missing fieldsType in managed fields entry {index}")
        if kind != FIELDS_V1:
            raise ManagedFieldsError(f'invalid fieldsType "{kind}" in managed fields entry {index}')
        fields = entry.get("fieldsV1") or LEAF
        if not trusted:
            try:
                fields = read_fields(fields)
            except FieldsError as error:
                raise ManagedFieldsError(f"error decoding versioned set: {error}") from None
        identity = manager(entry.get("manager") or "", operation, api_version, entry.get("subresource") or "")
        found[identity] = VersionedSet(fields, api_version, operation == APPLY, entry.get("time"))
    return Managed(found)


def encode(managed: Managed) -> list[Entry]:
    """Entries in Kubernetes' order: appliers first, then by time, name, version and subresource."""
    entries = [_entry(identity, each) for identity, each in managed.sets.items()]
    if len(entries) > 1:
        entries.sort(key=_order)
    return entries


def _entry(identity: Manager, owned: VersionedSet) -> Entry:
    entry: Entry = {}
    if identity.name:
        entry["manager"] = identity.name
    entry["operation"] = identity.operation
    entry["apiVersion"] = owned.api_version
    if owned.time is not None:
        entry["time"] = owned.time
    entry["fieldsType"] = FIELDS_V1
    entry["fieldsV1"] = owned.fields
    if identity.subresource:
        entry["subresource"] = identity.subresource
    return entry


def _order(entry: Entry) -> tuple[str, str, str, str, str]:
    return (
        entry["operation"],
        entry.get("time") or "",
        entry.get("manager") or "",
        entry["apiVersion"],
        entry.get("subresource") or "",
    )


def differ_in_time_only(new: list[Entry], old: list[Entry]) -> bool:
    """Whether two lists of entries, place by place, say the same but for their times."""
    return len(new) == len(old) and all(
        one is other or ({**one, "time": None} == {**other, "time": None}) for one, other in zip(new, old, strict=True)
    )
