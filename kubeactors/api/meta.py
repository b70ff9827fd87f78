"""Accessors for the metadata of Kubernetes objects, which are plain dictionaries as decoded from JSON."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]

_EMPTY: dict[str, str] = {}


def metadata(obj: Object) -> dict[str, Any]:
    """The object's metadata; an empty dictionary (not attached to the object) when it has none."""
    return obj.get("metadata") or {}


def name(obj: Object) -> str:
    return metadata(obj).get("name") or ""


def namespace(obj: Object) -> str:
    """The object's namespace; empty for cluster-scoped objects."""
    return metadata(obj).get("namespace") or ""


def uid(obj: Object) -> str:
    return metadata(obj).get("uid") or ""


def resource_version(obj: Object) -> str:
    return metadata(obj).get("resourceVersion") or ""


def generation(obj: Object) -> int:
    return metadata(obj).get("generation") or 0


def key(obj: Object) -> str:
    """`namespace/name`, or `name` for cluster-scoped objects: what work queues and listers use."""
    m = metadata(obj)
    ns = m.get("namespace")
    return f"{ns}/{m.get('name', '')}" if ns else m.get("name", "")


def split_key(key: str) -> tuple[str, str]:
    """(namespace, name) of what `key` made; the namespace is empty for cluster-scoped objects."""
    ns, _, n = key.rpartition("/")
    return ns, n


def labels(obj: Object) -> dict[str, str]:
    return metadata(obj).get("labels") or _EMPTY.copy()


def annotations(obj: Object) -> dict[str, str]:
    return metadata(obj).get("annotations") or _EMPTY.copy()


def finalizers(obj: Object) -> list[str]:
    return metadata(obj).get("finalizers") or []


def owner_references(obj: Object) -> list[dict[str, Any]]:
    return metadata(obj).get("ownerReferences") or []


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference with `controller: true`, if there is one."""
    for ref in owner_references(obj):
        if ref.get("controller"):
            return ref
    return None


def is_controlled_by(obj: Object, owner: Object) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref.get("uid") == uid(owner)


def controller_ref(owner: Object, api_version: str, kind: str) -> dict[str, Any]:
    """An owner reference that makes `owner` the controller, as metav1.NewControllerRef does."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_deleting(obj: Object) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def is_static(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is the mirror of one that its node has from a file."""
    return "kubernetes.io/config.mirror" in ((pod.get("metadata") or {}).get("annotations") or {})


def get_condition(obj: Object, type: str) -> dict[str, Any] | None:
    """The entry of status.conditions with this type, if there is one."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type:
            found: dict[str, Any] = condition
            return found
    return None


def is_condition_true(obj: Object, type: str) -> bool:
    condition = get_condition(obj, type)
    return condition is not None and condition.get("status") == "True"


def set_condition(
    obj: Object,
    type: str,
    status: str,
    *,
    now: datetime,
    reason: str = "",
    message: str = "",
    **extra: Any,
) -> bool:
    """Add or update an entry of status.conditions in place; true when anything changed.

    lastTransitionTime moves only when `status` changes. `extra` holds fields such as observedGeneration,
    lastUpdateTime or lastProbeTime, which are written as given and do not count as a change on their own.
    """
    conditions: list[dict[str, Any]] = obj.setdefault("status", {}).setdefault("conditions", [])
    existing = next((c for c in conditions if c.get("type") == type), None)
    wanted = {"type": type, "status": status, **extra}
    if reason:
        wanted["reason"] = reason
    if message:
        wanted["message"] = message
    if existing is None:
        wanted["lastTransitionTime"] = now_rfc3339(now)
        conditions.append(wanted)
        return True
    same = (
        existing.get("status") == status
        and existing.get("reason", "") == reason
        and existing.get("message", "") == message
    )
    kept = existing.get("lastTransitionTime")
    moved = existing.get("status") != status or not kept
    wanted["lastTransitionTime"] = now_rfc3339(now) if moved else kept
    existing.clear()
    existing.update(wanted)
    return not same


def remove_finalizer(obj: Object, finalizer: str) -> bool:
    """Remove a finalizer in place; true when it was there."""
    present = finalizers(obj)
    if finalizer not in present:
        return False
    left = [f for f in present if f != finalizer]
    if left:
        obj["metadata"]["finalizers"] = left
    else:
        del obj["metadata"]["finalizers"]
    return True


def now_rfc3339(now: datetime) -> str:
    """metav1.Time's wire form: RFC 3339 in UTC with second precision. A naive time is taken as UTC."""
    return _utc(now).isoformat(timespec="seconds")[:19] + "Z"


def now_rfc3339_micro(now: datetime) -> str:
    """metav1.MicroTime's wire form: RFC 3339 in UTC with six digits of a second."""
    return _utc(now).isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """An RFC 3339 time, with or without a fraction, as an aware datetime. Raises ValueError."""
    if len(text) < 20 or text[10] not in "Tt":
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"not an RFC 3339 time (no zone): {text!r}")
    return parsed


def newest(times: Iterable[str | None]) -> str | None:
    """The latest of some RFC 3339 times; None when there is none."""
    present = [t for t in times if t]
    return max(present, key=parse_time) if present else None


def _utc(now: datetime) -> datetime:
    if now.tzinfo is UTC:
        return now
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
