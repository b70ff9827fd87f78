"""managedFields on every write: what the API server does around structured merge.

Source: managedfields/internal/fieldmanager.go of apimachinery and the managers that it puts together; KEP-555.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kubeactors.api import codec, errors
from kubeactors.api.managedfields import fieldset, last_applied
from kubeactors.api.managedfields.atoms import ElementError
from kubeactors.api.managedfields.capping import cap_updaters
from kubeactors.api.managedfields.conflicts import Conflicts
from kubeactors.api.managedfields.managers import (
    APPLY,
    UPDATE,
    Entry,
    Managed,
    ManagedFieldsError,
    Manager,
    VersionedSet,
    decode,
    encode,
    manager,
)
from kubeactors.api.managedfields.updater import Updater
from kubeactors.api.managedfields.validate import validate
from kubeactors.api.meta import Object

BEFORE_FIRST_APPLY: Final = "before-first-apply"
UNKNOWN: Final = "unknown"
MAX_NAME_BYTES: Final = 128
_CURRENT: Final = Manager("", "")  # stands for the present operation until it is joined with its manager's others


def name_of(field_manager: str, user_agent: str) -> str:
    """The manager of a write: the one it names, else the user agent up to its first slash."""
    if field_manager:
        return field_manager
    prefix = user_agent.partition("/")[0]
    if prefix.isascii() and prefix.isprintable() and len(prefix) <= MAX_NAME_BYTES:
        return prefix or UNKNOWN
    kept = ""
    for character in prefix:
        if character.isprintable():
            if len((kept + character).encode()) > MAX_NAME_BYTES:
                break
            kept += character
    return kept or UNKNOWN


@dataclass(frozen=True, slots=True)
class Tracker:
    """Tracks the writes to one kind's objects, through the main resource or one subresource, in one version.

    `empty` is a new object of the kind before anything was put into it, normalised: what stands in it, no creator owns.
    `now` arguments are RFC 3339 times with whole seconds.
    """

    updater: Updater
    kind: str
    empty: Object
    subresource: str = ""

    # --- create, update, patch

    def update(self, live: Object | None, new: Object, name: str, now: str) -> None:
        """Write `new`'s managedFields, in place. `live` None: it is being created.

        An object that exists and has none gets none: it was made before they were kept, or a client cleared them.
        """
        metadata = new["metadata"]
        stored = live["metadata"].get("managedFields") if live is not None else None
        given = metadata.pop("managedFields", None)
        managed = self._given(given) if given is not None and given != stored else None
        edited = managed is not None
        if managed is None:
            managed = _stored(stored)
        if not managed.sets and live is not None:
            return
        try:
            after = self._updated(self.empty if live is None else live, new, managed, name, now)
        except ElementError:
            # Items that cannot be told apart: whose they are is not known, but the write itself is another's to judge.
            return
        if after is managed and not edited:
            if stored is not None:
                metadata["managedFields"] = stored
        elif after.sets:
            metadata["managedFields"] = encode(after)

    def _updated(self, live: Object, new: Object, managed: Managed, name: str, now: str) -> Managed:
        """`managed` itself when nothing changes."""
        after = self.updater.update(live, new, managed, _CURRENT)
        if after is managed:
            return managed
        taken = after.sets.pop(_CURRENT, None)
        if taken is not None:
            who = manager(name, UPDATE, self.updater.api_version, self.subresource)
            before = after.sets.get(who)
            fields = taken.fields if before is None else fieldset.union(before.fields, taken.fields)
            after.sets[who] = VersionedSet(fields, taken.api_version, False, now)
        cap_updaters(after)
        return after

    def _given(self, given: list[Entry]) -> Managed | None:
        """What the client says is managed; None where it may not say so, or says nothing that makes sense."""
        if self.subresource:
            return None
        if given in ([], [{}]):
            return Managed()
        try:
            managed = decode(given)
        except ManagedFieldsError:
            return None
        return managed if managed.sets else None

    # --- apply

    def apply(self, live: Object | None, applied: Object, name: str, now: str, *, force: bool) -> Object:
        """The object that an applied configuration makes of `live` (None: it creates one), with its managedFields.

        Not normalised; shares nothing with the arguments. Raises StatusError: 400 for another type of object, 409 for
        conflicts, and 500 (as Kubernetes does) for a configuration that does not fit the schema.
        """
        self._check(applied)
        base = {**(self.empty if live is None else live), "apiVersion": self.updater.api_version, "kind": self.kind}
        base["metadata"] = {field: item for field, item in base["metadata"].items() if field != "managedFields"}
        try:
            managed = decode(live["metadata"].get("managedFields") if live is not None else None, trusted=True)
        except ManagedFieldsError as error:
            raise errors.unknown(f"failed to decode managed fields: {error}") from None
        try:
            if not managed.sets:
                managed = self._updated(self.empty, base, managed, BEFORE_FIRST_APPLY, now)
            new, managed = self._merge(base, applied, managed, name, force=force)
        except Conflicts as conflicts:
            raise conflicts.as_status() from None
        except ElementError as error:
            raise errors.unknown(f"failed to merge config: {error}") from None
        who = manager(name, APPLY, self.updater.api_version, self.subresource)
        if new is not None and who in managed.sets:
            managed.sets[who] = managed.sets[who].at(now)
        made: Object = codec.copy(base if new is None else new)
        if name == last_applied.MANAGER and last_applied.last_applied(made):
            last_applied.write_last_applied(made, applied)
        if managed.sets:
            made["metadata"]["managedFields"] = encode(managed)
        return made

    def _check(self, applied: Object) -> None:
        api_version, kind = applied.get("apiVersion"), applied.get("kind")
        if (api_version, kind) != (self.updater.api_version, self.kind):
            raise errors.bad_request(f"invalid object type: {group_version_kind(api_version, kind)}")
        metadata = applied.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        if metadata.get("managedFields") is not None:
            raise errors.bad_request("metadata.managedFields must be nil")
        problems = validate(self.updater.atom, applied)
        if problems:
            raise errors.unknown(f"failed to create typed patch object ({described(applied)}): {problems}")

    def _merge(
        self, live: Object, applied: Object, managed: Managed, name: str, *, force: bool
    ) -> tuple[Object | None, Managed]:
        who = manager(name, APPLY, self.updater.api_version, self.subresource)
        try:
            return self.updater.apply(live, applied, managed, who, force=force)
        except Conflicts as conflicts:
            if name != last_applied.MANAGER or not last_applied.last_applied(live):
                raise
            # kubectl goes from client-side to server-side apply: what it applied there is its own.
            updater = self.updater
            allowed = last_applied.owned_by_client_side_apply(updater.atom, live, updater.api_version)
            left = conflicts.without(allowed)
            if left.sets:
                raise left from None
        return self.updater.apply(live, applied, managed, who, force=True)


def _stored(entries: list[Entry] | None) -> Managed:
    try:
        return decode(entries, trusted=True)
    except ManagedFieldsError:
        return Managed()


def described(obj: Object) -> str:
    """An object in messages: `namespace/name; group/version, Kind=kind`."""
    metadata = obj.get("metadata")
    names: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    namespace, name = (each if isinstance(each, str) else "" for each in (names.get("namespace"), names.get("name")))
    return f"{namespace}/{name}; {group_version_kind(obj.get('apiVersion'), obj.get('kind'))}"


def group_version_kind(api_version: Any, kind: Any) -> str:
    """`apps/v1, Kind=Deployment`; of the core group `/v1, Kind=Pod`."""
    version = api_version if isinstance(api_version, str) else ""
    return f"{version if '/' in version else '/' + version}, Kind={kind if isinstance(kind, str) else ''}"
