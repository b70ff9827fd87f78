"""Keeping the number of updaters bounded: the oldest are put together, one bucket for each version.

Source: managedfields/internal/capmanagers.go of apimachinery.
"""

from __future__ import annotations

from typing import Final

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.managers import UPDATE, Managed, Manager

MAX_UPDATERS: Final = 10
BUCKET: Final = "ancient-changes"


def cap_updaters(managed: Managed, limit: int = MAX_UPDATERS) -> None:
    """Put the oldest updaters of a version together, in place, until there are no more than `limit`."""
    sets = managed.sets
    if len(sets) <= limit:
        return
    updaters = [who for who, owned in sets.items() if not owned.applied]
    left = len(updaters)
    if left <= limit:
        return
    updaters.sort(key=lambda who: (sets[who].time or "", who))
    first_of: dict[str, Manager] = {}
    for who in updaters:
        if left <= limit:
            return
        owned = sets[who]
        version = owned.api_version
        first = first_of.setdefault(version, who)
        if first is who:
            continue
        bucket = Manager(BUCKET, UPDATE, version)
        if bucket not in sets:
            sets[bucket] = sets.pop(first)
        both = fieldset.union(owned.fields, sets[bucket].fields)
        if who != bucket:
            del sets[who]
        sets[bucket] = owned.of(both)
        left -= 1
