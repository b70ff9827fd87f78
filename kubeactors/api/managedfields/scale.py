"""The managers of spec.replicas, as the scale subresource sees them and hands them back.

A Scale is autoscaling/v1 whatever it scales, and its replicas lie elsewhere than the object's.
Source: managedfields/scalehandler.go of apimachinery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kubeactors.api.managedfields import elements, fieldset
from kubeactors.api.managedfields.atoms import atom_of
from kubeactors.api.managedfields.fieldset import Path
from kubeactors.api.managedfields.managers import (
    Entry,
    Managed,
    ManagedFieldsError,
    VersionedSet,
    decode,
    encode,
    manager,
)
from kubeactors.api.managedfields.tracker import Tracker
from kubeactors.api.managedfields.updater import OneVersion, Updater
from kubeactors.api.meta import Object
from kubeactors.api.schema import decoder_for, struct

SCALE_VERSION: Final = "autoscaling/v1"
SCALE_SCHEMA: Final = "io.k8s.api.autoscaling.v1.Scale"
SCALE_REPLICAS: Final = elements.path("spec", "replicas")


@dataclass(frozen=True, slots=True)
class ScaleManagers:
    """Of one kind. `paths`: of the replicas in each version of it; None for a version that has no scale."""

    api_version: str
    paths: Mapping[str, Path | None]

    def to_scale(self, entries: list[Entry] | None) -> list[Entry]:
        """The object's managers that own its replicas, as the Scale's."""
        fields = fieldset.from_paths([SCALE_REPLICAS])
        found: Managed = Managed()
        for who, owned in _read(entries).sets.items():
            path = self.paths.get(owned.api_version)
            if path is not None and fieldset.has(owned.fields, path):
                identity = manager(who.name, who.operation, SCALE_VERSION, who.subresource)
                found.sets[identity] = VersionedSet(fields, SCALE_VERSION, owned.applied, owned.time)
        return encode(found)

    def to_parent(self, entries: list[Entry] | None, scale_entries: list[Entry] | None) -> list[Entry]:
        """The object's managers after the Scale's became `scale_entries`: who lost the replicas there loses them here.

        Managers that came by them have no time, as in Kubernetes.
        """
        scale = _read(scale_entries).sets
        kept: Managed = Managed()
        for who, owned in _read(entries).sets.items():
            if owned.api_version not in self.paths:
                continue
            path = self.paths[owned.api_version]
            identity = manager(who.name, who.operation, SCALE_VERSION, who.subresource)
            if path is None or not fieldset.has(owned.fields, path):
                kept.sets[who] = owned
            elif identity in scale:
                kept.sets[who] = owned
                del scale[identity]
            elif left := fieldset.difference(owned.fields, fieldset.from_paths([path])):
                kept.sets[who] = owned.of(left)
        path = self.paths.get(self.api_version)
        for identity, owned in scale.items():
            if path is None or not fieldset.has(owned.fields, SCALE_REPLICAS):
                continue
            who = manager(identity.name, identity.operation, self.api_version, identity.subresource)
            fields = fieldset.from_paths([path])
            present = kept.sets.get(who)
            if present is not None:
                kept.sets[who] = present.of(fieldset.union(present.fields, fields))
            else:
                kept.sets[who] = VersionedSet(fields, self.api_version, owned.applied)
        return encode(kept)


def scale_tracker() -> Tracker:
    """Tracks writes to a Scale, as if it were an object of its own."""
    versions = OneVersion(SCALE_VERSION, atom_of(struct(SCALE_SCHEMA)))
    empty: Object = {"metadata": {}}
    decoder_for(SCALE_SCHEMA)(empty)
    return Tracker(Updater(SCALE_VERSION, versions), "Scale", empty, "scale")


def _read(entries: list[Entry] | None) -> Managed:
    try:
        return decode(entries, trusted=True)
    except ManagedFieldsError:
        return Managed()
