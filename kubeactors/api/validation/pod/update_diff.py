"""How the spec of a pod differs from the one it had, as the refusal of an update shows it.

The fields are named and ordered as in Kubernetes' internal types; what may change is left out.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.internal_form import internal_form

_POD_SPEC: Final = "io.k8s.api.core.v1.PodSpec"
MAX_LINES: Final = 3000  # of either spec: comparing takes time in the square of that at worst


def spec_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """A unified diff of two pod specs, of which `new` has as many containers as `old`; empty for very large ones."""
    before, after = _lines(old), _lines(_with_what_may_change(new, old))
    if max(len(before), len(after)) > MAX_LINES:
        return ""
    return "".join(list(difflib.unified_diff(before, after))[2:])  # without the names of the files


def _lines(spec: Mapping[str, Any]) -> list[str]:
    text = json.dumps(internal_form(spec, _POD_SPEC), indent=1, ensure_ascii=False)
    return f"{text}\n".splitlines(keepends=True)


def _with_what_may_change(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The new spec with the old one's values of what updates may change."""
    spec = dict(new)
    for name in ("containers", "initContainers"):
        if spec.get(name):
            spec[name] = [_with(one, other, "image") for one, other in zip(spec[name], old[name], strict=True)]
    kept = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if old.get("schedulingGates"):
        kept += ["nodeSelector", "affinity"]
    for name in kept:
        spec = _with(spec, old, name)
    return spec


def _with(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> dict[str, Any]:
    changed = {key: value for key, value in one.items() if key != name}
    if name in other:
        changed[name] = other[name]
    return changed
