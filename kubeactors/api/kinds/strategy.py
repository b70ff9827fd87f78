"""What is particular to a kind when it is written: defaults, server-owned fields, validation.

The registry calls, on objects that have passed the schema's decoder:

- create: `default`, (mutating admission, metadata is filled), `prepare_for_create`, `validate_create`,
  `warnings_on_create`, (validating admission)
- update: `default`, (mutating admission), `prepare_for_update`, `validate_update`, `warnings_on_update`,
  (validating admission)

All but the validate and warnings functions change the given (new) object in place; `old` is never changed, and the new
object may share parts of it afterwards.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError
from kubeactors.api.meta import Object
from kubeactors.api.validation.metadata import (
    NameCheck,
    builtin_finalizer_errors,
    common_metadata_errors,
    metadata_errors,
    metadata_update_errors,
)
from kubeactors.api.validation.names import dns1123_subdomain_errors


class Strategy:
    """Base of every kind's strategy; on its own it fits a kind that has nothing but metadata and data."""

    namespaced = True
    check_name: NameCheck = staticmethod(dns1123_subdomain_errors)
    # Fields besides metadata and status whose change raises metadata.generation; none: no generation is kept.
    generation_fields: tuple[str, ...] = ()
    has_status = False
    empty_status: Mapping[str, Any] = {}  # what a new object's status is, where the kind has one
    # How often an update reports what is wrong with labels, annotations and owners, beyond twice.
    metadata_rechecks = 2
    # Whether an update reports what may not change in the metadata twice.
    metadata_compared_twice = True
    # Whether finalizers are Kubernetes' own or have a domain; the API server's extensions take any qualified name.
    finalizers_have_domains = True
    # Whether validation compiles or evaluates expressions that clients wrote (`kubeactors.api.allowance`).
    may_take_long = False

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        """Paths of what a write sets back to what it was, so that no field manager may own it."""
        return (("status",),) if self.has_status else ()

    @property
    def own_fields(self) -> tuple[tuple[str, ...], ...] | None:
        """Paths of all that a write may change, where that is little; `*` is any item. None: all but reset_fields."""
        return None

    def default(self, obj: Object) -> None:
        """Fill what the client left out."""

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        """Set and clear what clients may not choose."""
        if self.has_status:
            obj["status"] = dict(self.empty_status)
        if self.generation_fields:
            obj["metadata"]["generation"] = 1

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        """Take over what a write to the main resource may not change, and count generations."""
        keep_server_owned_metadata(new, old)
        if self.has_status:
            take_over(new, old, "status")
        self.bump_generation(new, old)

    def bump_generation(self, new: Object, old: Object) -> None:
        if self.generation_fields and any(new.get(f) != old.get(f) for f in self.generation_fields):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = metadata_errors(
            obj.get("metadata") or {},
            namespaced=self.namespaced,
            check_name=self.check_name,
            builtin=self.finalizers_have_domains,
        )
        errors.extend(self.validate(obj))
        return errors

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        # Kubernetes checks metadata several times on updates, in the registry and in the kind; its causes show that.
        metadata = new.get("metadata") or {}
        errors = metadata_update_errors(metadata, old.get("metadata") or {})
        if errors:
            common = common_metadata_errors(metadata)
            changes = errors[: len(errors) - len(common)] if self.metadata_compared_twice else []
            errors = common + errors + changes
            errors += (common + self._kind_finalizer_errors(metadata)) * self.metadata_rechecks
        else:
            errors = self._kind_finalizer_errors(metadata) * self.metadata_rechecks
        errors.extend(self.validate_change(new, old))
        return errors

    def _kind_finalizer_errors(self, metadata: Mapping[str, Any]) -> list[FieldError]:
        finalizers = metadata.get("finalizers")
        if not finalizers or not self.finalizers_have_domains:
            return []
        return builtin_finalizer_errors(finalizers, "metadata.finalizers")

    def validate(self, obj: Object) -> list[FieldError]:
        """What is wrong besides the metadata."""
        return []

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        """What is wrong with an update besides the metadata; by default the new object is validated."""
        return self.validate(new)

    def warnings_on_create(self, obj: Object) -> list[str]:
        """Texts for Warning headers."""
        return []

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return self.warnings_on_create(new)


# What metav1.ResetObjectMetaForStatus keeps from writes to a status.
_NOT_OF_STATUS: Final = ("deletionTimestamp", "labels", "annotations", "finalizers", "ownerReferences")


class StatusStrategy(Strategy):
    """Writes to the status subresource: everything but the status (and labels, annotations, finalizers) is kept.

    `keep_metadata`: labels, annotations, finalizers and owners are kept as well.
    """

    metadata_rechecks = 1

    def __init__(
        self,
        main: Strategy,
        *,
        kept: tuple[str, ...] = ("spec",),
        validate: Callable[[Object, Object], list[FieldError]] | None = None,
        keep_labels: bool = False,
        keep_metadata: bool = False,
    ) -> None:
        self._main = main
        self._kept = kept
        self._validate = validate
        self._keep_labels = keep_labels
        self._keep_metadata = keep_metadata
        self.namespaced = main.namespaced
        self.finalizers_have_domains = main.finalizers_have_domains

    @property
    def reset_fields(self) -> tuple[tuple[str, ...], ...]:
        labels = (("metadata", "labels"),) if self._keep_labels else ()
        metadata = (("metadata",),) if self._keep_metadata else ()
        return (*((field,) for field in self._kept), *labels, *metadata)

    def default(self, obj: Object) -> None:
        self._main.default(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        for field in self._kept:
            take_over(new, old, field)
        if self._keep_labels:
            take_over(new["metadata"], old["metadata"], "labels")
        if self._keep_metadata:
            reset_metadata(new, old)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return self._validate(new, old) if self._validate else []


def reset_metadata(new: Object, old: Object) -> None:
    """Keep what is not of a status from being written with it (ResetObjectMetaForStatus): managedFields change."""
    for field in _NOT_OF_STATUS:
        take_over(new["metadata"], old["metadata"], field)


def keep_server_owned_metadata(new: Object, old: Object) -> None:
    """What rest.BeforeUpdate does with fields that the server owns."""
    new_meta: dict[str, Any] = new.setdefault("metadata", {})
    old_meta: dict[str, Any] = old.get("metadata") or {}
    take_over(new_meta, old_meta, "generation")
    take_over(new_meta, old_meta, "creationTimestamp")
    if not new_meta.get("uid"):
        take_over(new_meta, old_meta, "uid")
    if old_meta.get("deletionTimestamp"):
        new_meta["deletionTimestamp"] = old_meta["deletionTimestamp"]
    if new_meta.get("deletionGracePeriodSeconds") is None:
        take_over(new_meta, old_meta, "deletionGracePeriodSeconds")


def take_over(new: dict[str, Any], old: dict[str, Any], field: str) -> None:
    """Make `field` of `new` what it is in `old`, absent included."""
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)
