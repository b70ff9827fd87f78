"""What a delete makes of an object: the rules of grace periods, finalizers and propagation, as pure functions.

Source: apiserver's registry/rest/delete.go (BeforeDelete) and registry/generic/registry/store.go.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.customresources import conditions
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object, now_rfc3339, parse_time
from kubeactors.apiserver.options import DeleteOptions

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"

# Kinds that answer a delete with the object that they deleted; the others answer with a Status.
_RETURN_DELETED: Final = frozenset(
    {
        ("", "pods"),
        ("", "services"),
        ("", "serviceaccounts"),
        ("", "resourcequotas"),
        ("", "podtemplates"),
        ("", "persistentvolumes"),
        ("", "persistentvolumeclaims"),
        ("resource.k8s.io", "deviceclasses"),
        ("resource.k8s.io", "resourceclaims"),
        ("resource.k8s.io", "resourceclaimtemplates"),
        ("resource.k8s.io", "resourceslices"),
        ("storage.k8s.io", "storageclasses"),
        ("storage.k8s.io", "volumeattachments"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "volumeattributesclasses"),
    }
)
# Kinds whose dependents are orphaned unless the client says otherwise, for compatibility with their first versions.
_ORPHAN_BY_DEFAULT: Final = frozenset({("", "replicationcontrollers"), ("batch", "jobs")})


class Action(enum.Enum):
    """What is to be done next."""

    DELETE = "delete the object as it is"
    WRITE = "write the changed object; it stays"
    WRITE_THEN_DELETE = "write the changed object, then delete it"
    NOTHING = "a deletion is under way already; this request changes nothing"


@dataclass(frozen=True, slots=True)
class Decision:
    """`obj` is the changed object for the writing actions, else as it was given."""

    action: Action
    obj: Object


def returns_deleted(kind: Kind) -> bool:
    return (kind.group, kind.plural) in _RETURN_DELETED


def check_preconditions(kind: Kind, obj: Object, options: DeleteOptions) -> None:
    """Raises StatusError (409)."""
    metadata = obj["metadata"]
    resource = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    uid, version = metadata.get("uid") or "", metadata.get("resourceVersion") or ""
    if options.precondition_uid is not None and options.precondition_uid != uid:
        message = (
            f"the UID in the precondition ({options.precondition_uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource, metadata["name"], message)
    if options.precondition_version is not None and options.precondition_version != version:
        message = (
            f"the ResourceVersion in the precondition ({options.precondition_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        raise errors.conflict(resource, metadata["name"], message)


def decide(kind: Kind, obj: Object, options: DeleteOptions, now: datetime) -> Decision:
    """What a delete does to an object; `obj` may be changed in place."""
    if kind.plural == "namespaces" and not kind.group:
        return _decide_namespace(obj, options, now)
    if kind.plural == "customresourcedefinitions" and not obj["metadata"].get("deletionTimestamp"):
        return _begin_definition_end(obj, now)
    if kind.plural == "pods" and not kind.group:
        graceful, pending, period = _begin_grace(obj, options, now)
        if pending:
            return Decision(Action.NOTHING, obj)
    else:
        graceful, period = False, 0
    metadata = obj["metadata"]
    finalizers = finalizers_of_policy(kind, metadata, options)
    _set_finalizers(metadata, finalizers)
    if finalizers:
        if not graceful:
            _mark_deleting(metadata, now)
        return Decision(Action.WRITE, obj)
    if not graceful:
        return Decision(Action.DELETE, obj)
    return Decision(Action.WRITE if period > 0 else Action.WRITE_THEN_DELETE, obj)


def _begin_grace(pod: Object, options: DeleteOptions, now: datetime) -> tuple[bool, bool, int]:
    """(the pod was changed for a graceful end, nothing is to be done, the grace period in seconds)."""
    metadata = pod["metadata"]
    given = options.grace_period_seconds
    if given is not None and given < 0:
        given = 1
    if metadata.get("deletionTimestamp"):
        current = metadata.get("deletionGracePeriodSeconds") or 0
        if current == 0:
            # An earlier delete got as far as this and no further.
            return False, False, 0
        if given is None or given >= current:
            return False, True, current
        began = parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=current)
        metadata["deletionTimestamp"] = now_rfc3339(began + timedelta(seconds=given))
        metadata["deletionGracePeriodSeconds"] = given
        return True, False, given
    period = _pod_grace(pod, given)
    metadata["deletionTimestamp"] = now_rfc3339(now + timedelta(seconds=period))
    metadata["deletionGracePeriodSeconds"] = period
    if metadata.get("generation"):
        metadata["generation"] += 1
    return True, False, period


def _pod_grace(pod: Object, given: int | None) -> int:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Failed", "Succeeded"):
        return 0
    period = given if given is not None else spec.get("terminationGracePeriodSeconds") or 0
    return period if period >= 0 else 1


def _mark_deleting(metadata: dict[str, Any], now: datetime) -> None:
    timestamp = metadata.get("deletionTimestamp")
    if not timestamp and metadata.get("generation"):
        metadata["generation"] += 1
    if not timestamp or parse_time(timestamp) > now:
        metadata["deletionTimestamp"] = now_rfc3339(now)
    metadata["deletionGracePeriodSeconds"] = 0


def finalizers_of_policy(kind: Kind, metadata: dict[str, Any], options: DeleteOptions) -> list[str]:
    """The finalizers that the object must have for its dependents to be treated as the client wants."""
    present: list[str] = metadata.get("finalizers") or []
    kept = [each for each in present if each not in (ORPHAN, FOREGROUND)]
    policy = _policy(kind, present, options)
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return present if sorted(kept) == sorted(present) else kept


def _policy(kind: Kind, finalizers: list[str], options: DeleteOptions) -> str:
    if options.orphan_dependents is not None:
        return "Orphan" if options.orphan_dependents else "Background"
    if options.propagation_policy:
        return options.propagation_policy
    if ORPHAN in finalizers:
        return "Orphan"
    if FOREGROUND in finalizers:
        return "Foreground"
    return "Orphan" if (kind.group, kind.plural) in _ORPHAN_BY_DEFAULT else "Background"


def _set_finalizers(metadata: dict[str, Any], finalizers: list[str]) -> None:
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)


def _decide_namespace(namespace: Object, options: DeleteOptions, now: datetime) -> Decision:
    """A namespace first becomes Terminating; it goes when its content has gone and its finalizers with it."""
    metadata = namespace["metadata"]
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = now_rfc3339(now)
        namespace.setdefault("status", {})["phase"] = "Terminating"
        present = metadata.get("finalizers") or []
        kept = [each for each in present if each not in (ORPHAN, FOREGROUND)]
        if options.orphan_dependents or options.propagation_policy == "Orphan":
            kept.append(ORPHAN)
        elif options.propagation_policy == "Foreground":
            kept.append(FOREGROUND)
        _set_finalizers(metadata, kept)
        return Decision(Action.WRITE, namespace)
    if (namespace.get("spec") or {}).get("finalizers") or metadata.get("finalizers"):
        return Decision(Action.NOTHING, namespace)
    return Decision(Action.DELETE, namespace)


def _begin_definition_end(definition: Object, now: datetime) -> Decision:
    """A definition goes after the objects of its kind, which the server deletes first."""
    metadata = definition["metadata"]
    _mark_deleting(metadata, now)
    finalizers = metadata.setdefault("finalizers", [])
    if conditions.FINALIZER not in finalizers:
        finalizers.append(conditions.FINALIZER)
    message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    pending = conditions.condition(conditions.TERMINATING, True, "InstanceDeletionPending", message)
    conditions.set_condition(definition, pending, now)
    return Decision(Action.WRITE, definition)


def deleted_by_update(kind: Kind, new: Object, old: Object) -> bool:
    """Whether an update ends the object: it took the last finalizer of one that waits for just that."""
    if new["metadata"].get("finalizers"):
        return False
    old_meta = old["metadata"]
    if not old_meta.get("deletionTimestamp") or old_meta.get("deletionGracePeriodSeconds"):
        return False
    return not (kind.plural == "namespaces" and not kind.group and (new.get("spec") or {}).get("finalizers"))
