"""Texts for Warning headers: what is taken, but hardly meant."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.validation.names import dns1123_label_errors

_HOSTNAME_LABEL: Final = "beta.kubernetes.io/hostname"
_DEPRECATED_LABELS: Final = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def pod_name_warnings(owner: Mapping[str, Any], used: str = "Pod names and hostnames") -> list[str]:
    """About the name of a workload whose pods are named for it: it may be no host name."""
    problems = dns1123_label_errors(owner["metadata"].get("name") or "")
    if not problems:
        return []
    return [
        f"metadata.name: this is used in {used}, which can result in surprising behavior; "
        f"a DNS label is recommended: [{' '.join(problems)}]"
    ]


def pod_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """About a pod spec at `path`, of a pod or a template."""
    warnings: list[str] = []
    for label in sorted(spec.get("nodeSelector") or {}):
        advice = deprecated_label(label)
        if advice:
            warnings.append(f"{path}.nodeSelector[{label}]: {advice}")
    for i, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if not reference.get("name"):
            warnings.append(f'{path}.imagePullSecrets[{i}].name: invalid empty name ""')
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        warnings += [f'volume "{volume.get("name")}" (Projected) has no sources provided' for s in sources if not s]
    for field in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(field) or ()):
            warnings += _repeated_variables(container, f"{path}.{field}[{i}]")
    return warnings


def deprecated_label(label: str) -> str:
    """What to say of a node label that has had another name for long; empty for others."""
    if label == _HOSTNAME_LABEL:
        return "deprecated since v1.14; use kubernetes.io/hostname instead"
    replacement = _DEPRECATED_LABELS.get(label)
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


def _repeated_variables(container: Mapping[str, Any], path: str) -> list[str]:
    warnings = []
    seen: dict[str, Any] = {}
    for i, variable in enumerate(container.get("env") or ()):
        name = variable.get("name") or ""
        if name in seen and f"$({name})" not in (variable.get("value") or ""):
            warnings.append(
                f'{path}.env[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen[name] = variable
    return warnings
