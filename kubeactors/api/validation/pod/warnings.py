"""Texts for Warning headers: what is taken, but hardly meant."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.claim_warnings import claim_spec_warnings
from kubeactors.api.validation.common import duplicates
from kubeactors.api.validation.label_warnings import deprecated_label, node_term_warnings
from kubeactors.api.validation.names import dns1123_label_errors

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_GONE: Final = (
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


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
    warnings += _placement_warnings(spec, path)
    for i, volume in enumerate(spec.get("volumes") or ()):
        warnings += _volume_warnings(volume, f"{path}.volumes[{i}]")
    aliases = [alias.get("ip") or "" for alias in spec.get("hostAliases") or ()]
    warnings += [f'{path}.hostAliases[{i}].ip: duplicate ip "{aliases[i]}"' for i in duplicates(aliases)]
    secrets = [reference.get("name") or "" for reference in spec.get("imagePullSecrets") or ()]
    again = set(duplicates(secrets))
    for i, name in enumerate(secrets):
        if not name:
            warnings.append(f'{path}.imagePullSecrets[{i}].name: invalid empty name ""')
        elif i in again:
            warnings.append(f'{path}.imagePullSecrets[{i}].name: duplicate name "{name}"')
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        advice = "must be >= 0; negative values are invalid and will be treated as 1"
        warnings.append(f"{path}.terminationGracePeriodSeconds: {advice}")
    for volume in spec.get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        warnings += [f'volume "{volume.get("name")}" (Projected) has no sources provided' for s in sources if not s]
    for field in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(field) or ()):
            warnings += _fractional_warnings(container, f"{path}.{field}[{i}].resources")
            warnings += _repeated_variables(container, f"{path}.{field}[{i}]")
    return warnings


def _placement_warnings(spec: Mapping[str, Any], path: str) -> list[str]:
    """About old labels in affinity and spread."""
    warnings: list[str] = []
    affinity, at = (spec.get("affinity") or {}).get("nodeAffinity") or {}, f"{path}.affinity.nodeAffinity"
    wanted = affinity.get(_REQUIRED) or {}
    for i, term in enumerate(wanted.get("nodeSelectorTerms") or ()):
        warnings += node_term_warnings(term, f"{at}.{_REQUIRED}.nodeSelectorTerms[{i}]")
    for i, term in enumerate(affinity.get(_PREFERRED) or ()):
        warnings += node_term_warnings(term.get("preference") or {}, f"{at}.{_PREFERRED}[{i}].preference")
    for i, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        key = constraint.get("topologyKey") or ""
        advice = deprecated_label(key)
        if advice:
            warnings.append(f"{path}.topologySpreadConstraints[{i}].topologyKey: {key} is {advice}")
    return warnings


def _volume_warnings(volume: Mapping[str, Any], path: str) -> list[str]:
    warnings = [f"{path}.{name}: {text}" for field, name, text in _GONE if volume.get(field) is not None]
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template is not None:
        warnings += claim_spec_warnings(template.get("spec") or {}, f"{path}.ephemeral.volumeClaimTemplate.spec")
    return warnings


def _fractional_warnings(container: Mapping[str, Any], path: str) -> list[str]:
    """About parts of bytes."""
    resources = container.get("resources") or {}
    return [
        f'{path}.{field}[{name}]: fractional byte value "{resources[field][name]}" is invalid, must be an integer'
        for name in ("memory", "ephemeral-storage")
        for field in ("limits", "requests")
        if name in (resources.get(field) or {}) and Quantity.parse(resources[field][name]).milli_value % 1000
    ]


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
