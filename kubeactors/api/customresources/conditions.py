"""Conditions of a CustomResourceDefinition and the decision about its names, as pure functions.

Sources: apiextensions-apiserver's naming, establishing, approval and finalizing controllers.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from kubeactors.api.codec import copy
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import Object, get_condition, now_rfc3339

FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
ESTABLISHED: Final = "Established"
NAMES_ACCEPTED: Final = "NamesAccepted"
TERMINATING: Final = "Terminating"
APPROVAL: Final = "KubernetesAPIApprovalPolicyConformant"

Condition = dict[str, str]


def condition(type: str, status: bool, reason: str, message: str) -> Condition:
    return {"type": type, "status": "True" if status else "False", "reason": reason, "message": message}


def is_true(crd: Object, type: str) -> bool:
    found = get_condition(crd, type)
    return found is not None and found.get("status") == "True"


def set_condition(crd: Object, new: Condition, now: datetime) -> bool:
    """Set a condition in place; False if it said the same already. The time tells when the status changed."""
    conditions = crd.setdefault("status", {}).get("conditions")
    if conditions is None:
        conditions = crd["status"]["conditions"] = []
    found = next((each for each in conditions if each.get("type") == new["type"]), None)
    if found is None:
        conditions.append({**new, "lastTransitionTime": now_rfc3339(now)})
        return True
    if all(found.get(key) == value for key, value in new.items()):
        return False
    if found.get("status") != new["status"] or not found.get("lastTransitionTime"):
        found["lastTransitionTime"] = now_rfc3339(now)
    found.update(new)
    return True


def used_names(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    """(resource names, kinds) that the other definitions of a group have been granted."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for each in others:
        names: Mapping[str, Any] = (each.get("status") or {}).get("acceptedNames") or {}
        resources |= {names.get("plural") or "", names.get("singular") or "", *(names.get("shortNames") or ())}
        kinds |= {names.get("kind") or "", names.get("listKind") or ""}
    return resources, kinds


def accept_names(crd: Object, group: Iterable[Object], now: datetime) -> bool:
    """Grant a definition the names that it asks for and that are free, in place; False if nothing changed.

    `group` is every definition of its API group, this one included.
    """
    wanted: Mapping[str, Any] = crd["spec"]["names"]
    before: Mapping[str, Any] = (crd.get("status") or {}).get("acceptedNames") or {}
    if _equal_names(wanted, before) and get_condition(crd, NAMES_ACCEPTED) is not None:
        return False
    resources, kinds = used_names(group)
    granted: dict[str, Any] = copy({"plural": "", "kind": "", **before})
    verdict = condition(NAMES_ACCEPTED, True, "NoConflicts", "no conflicts found")
    for key, used, reason in (("plural", resources, "PluralConflict"), ("singular", resources, "SingularConflict")):
        verdict = _grant(wanted, before, key, used, reason, granted, verdict)
    verdict = _grant_short_names(wanted, before, resources, granted, verdict)
    for key, used, reason in (("kind", kinds, "KindConflict"), ("listKind", kinds, "ListKindConflict")):
        verdict = _grant(wanted, before, key, used, reason, granted, verdict)
    _put(granted, "categories", wanted.get("categories"))
    changed = not _equal_names(granted, before)
    status = crd.setdefault("status", {})
    status["acceptedNames"] = granted
    changed |= set_condition(crd, verdict, now)
    if not is_true(crd, ESTABLISHED):
        if verdict["status"] == "True":
            new = condition(ESTABLISHED, False, "Installing", "the initial names have been accepted")
            changed |= set_condition(crd, new, now)
        elif get_condition(crd, ESTABLISHED) is None:
            new = condition(ESTABLISHED, False, "NotAccepted", "not all names are accepted")
            changed |= set_condition(crd, new, now)
    return changed


def _equal_names(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("plural", "singular", "kind", "listKind", "shortNames", "categories")
    return all((one.get(key) or None) == (other.get(key) or None) for key in keys)


def _grant(
    wanted: Mapping[str, Any],
    before: Mapping[str, Any],
    key: str,
    used: set[str],
    reason: str,
    granted: dict[str, Any],
    verdict: Condition,
) -> Condition:
    name = wanted.get(key) or ""
    if name != (before.get(key) or "") and name in used:
        return condition(NAMES_ACCEPTED, False, reason, f"{go_quote(name)} is already in use")
    granted[key] = name
    return verdict


def _grant_short_names(
    wanted: Mapping[str, Any],
    before: Mapping[str, Any],
    used: set[str],
    granted: dict[str, Any],
    verdict: Condition,
) -> Condition:
    names = wanted.get("shortNames") or []
    own = {*(before.get("shortNames") or ()), before.get("plural"), before.get("singular")}
    taken = [f"{go_quote(name)} is already in use" for name in names if name not in own and name in used]
    if taken:
        message = taken[0] if len(taken) == 1 else f"[{', '.join(dict.fromkeys(taken))}]"
        return condition(NAMES_ACCEPTED, False, "ShortNamesConflict", message)
    _put(granted, "shortNames", names)
    return verdict


def _put(names: dict[str, Any], key: str, value: Any) -> None:
    if value:
        names[key] = value
    else:
        names.pop(key, None)
