"""Texts for Warning headers about node labels that have had other names for long."""

from collections.abc import Mapping
from typing import Any, Final

_HOSTNAME: Final = "beta.kubernetes.io/hostname"
_RENAMED: Final = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def deprecated_label(label: str) -> str:
    """What to say of an old label; empty for others."""
    if label == _HOSTNAME:
        return "deprecated since v1.14; use kubernetes.io/hostname instead"
    replacement = _RENAMED.get(label)
    return f'deprecated since v1.14; use "{replacement}" instead' if replacement else ""


def node_term_warnings(term: Mapping[str, Any], path: str) -> list[str]:
    """About the expressions of a node selector's term."""
    warnings = []
    for i, expression in enumerate(term.get("matchExpressions") or ()):
        key = expression.get("key") or ""
        advice = deprecated_label(key)
        if advice:
            warnings.append(f"{path}.matchExpressions[{i}].key: {key} is {advice}")
    return warnings
