"""Texts for Warning headers: what is taken, but hardly meant."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api.quantity import Quantity
from kubeactors.api.validation.claim_warnings import claim_spec_warnings
from kubeactors.api.validation.common import duplicates
from kubeactors.api.validation.ip_warnings import ip_warnings
from kubeactors.api.validation.label_warnings import deprecated_label, node_term_warnings
from kubeactors.api.validation.names import dns1123_label_errors
from kubeactors.api.validation.pod.overlap_warnings import overlapping_path_warnings
from kubeactors.api.validation.pod.port_warnings import port_warnings

_NO_SELECTOR: Final = "a null labelSelector results in matching no pod"
_OLD_ANNOTATIONS: Final = (
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        'non-functional in v1.16+; use the "priorityClassName" field instead',
    ),
    ("security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'),
    ("security.alpha.kubernetes.io/unsafe-sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'),
)
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
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


def pod_warnings(pod: Mapping[str, Any], path: str) -> list[str]:
    """About a pod (`path` is empty), or a template at `path`."""
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    above = f"{path}." if path else ""
    return _spec_warnings(spec, annotations, f"{above}spec", f"{above}metadata.annotations", template=bool(path))


def _spec_warnings(
    spec: Mapping[str, Any], annotations: Mapping[str, str], path: str, annotations_path: str, *, template: bool
) -> list[str]:
    warnings: list[str] = []
    for label in sorted(spec.get("nodeSelector") or {}):
        advice = deprecated_label(label)
        if advice:
            warnings.append(f"{path}.nodeSelector[{label}]: {advice}")
    warnings += _placement_warnings(spec, path)
    warnings += [f"{annotations_path}[{key}]: {text}" for key, text in _OLD_ANNOTATIONS if key in annotations]
    for i, volume in enumerate(spec.get("volumes") or ()):
        warnings += _volume_warnings(volume, f"{path}.volumes[{i}]")
    if spec.get("volumes"):
        warnings += overlapping_path_warnings(spec["volumes"])
    aliases = [alias.get("ip") or "" for alias in spec.get("hostAliases") or ()]
    warnings += [f'{path}.hostAliases[{i}].ip: duplicate ip "{aliases[i]}"' for i in duplicates(aliases)]
    secrets = [reference.get("name") or "" for reference in spec.get("imagePullSecrets") or ()]
    again = set(duplicates(secrets))
    warnings += [f'{path}.imagePullSecrets[{i}].name: duplicate name "{secrets[i]}"' for i in sorted(again)]
    empty = [i for i, name in enumerate(secrets) if not name]
    warnings += [f'{path}.imagePullSecrets[{i}].name: invalid empty name ""' for i in empty]
    warnings += _fractional_warnings({"overhead": spec.get("overhead")}, path, ("overhead",))
    if annotations:
        warnings += _profile_warnings(spec, annotations, annotations_path, template=template)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(field) or ()):
            resources = container.get("resources") or {}
            warnings += _fractional_warnings(resources, f"{path}.{field}[{i}].resources", ("limits", "requests"))
            warnings += _repeated_variables(container, f"{path}.{field}[{i}]")
    warnings += port_warnings(spec, path)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        advice = "must be >= 0; negative values are invalid and will be treated as 1"
        warnings.append(f"{path}.terminationGracePeriodSeconds: {advice}")
    warnings += _null_selector_warnings(spec.get("affinity") or {}, f"{path}.affinity")
    for i, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        warnings += ip_warnings(server, f"{path}.dnsConfig.nameservers[{i}]")
    for i, address in enumerate(aliases):
        warnings += ip_warnings(address, f"{path}.hostAliases[{i}].ip")
    return warnings


def _profile_warnings(
    spec: Mapping[str, Any], annotations: Mapping[str, str], path: str, *, template: bool
) -> list[str]:
    """About annotations that stand for profiles which fields name today."""
    context, warnings = spec.get("securityContext") or {}, []
    old = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    if context.get("seccompProfile") is None and _SECCOMP_POD in annotations:
        warnings.append(f"{path}[{_SECCOMP_POD}]: {old}")
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            own, name = container.get("securityContext") or {}, container.get("name") or ""
            if own.get("seccompProfile") is None and f"{_SECCOMP_CONTAINER}{name}" in annotations:
                warnings.append(f"{path}[{_SECCOMP_CONTAINER}{name}]: {old}")
            has_field = any(each.get("appArmorProfile") is not None for each in (context, own))
            if template and not has_field and f"{_APP_ARMOR}{name}" in annotations:
                advice = 'deprecated since v1.30; use the "appArmorProfile" field instead'
                warnings.append(f"{path}[{_APP_ARMOR}{name}]: {advice}")
    return warnings


def _null_selector_warnings(affinity: Mapping[str, Any], path: str) -> list[str]:
    """About terms without a selector."""
    warnings = []
    for field in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(field) or {}
        for i, term in enumerate(terms.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                warnings.append(f"{path}.{field}.{_REQUIRED}[{i}].labelSelector: {_NO_SELECTOR}")
        for i, term in enumerate(terms.get(_PREFERRED) or ()):
            if (term.get("podAffinityTerm") or {}).get("labelSelector") is None:
                warnings.append(f"{path}.{field}.{_PREFERRED}[{i}].podAffinityTerm.labelSelector: {_NO_SELECTOR}")
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
        if constraint.get("labelSelector") is None:
            warnings.append(f"{path}.topologySpreadConstraints[{i}].labelSelector: {_NO_SELECTOR}")
    return warnings


def _volume_warnings(volume: Mapping[str, Any], path: str) -> list[str]:
    warnings = [f"{path}.{name}: {text}" for field, name, text in _GONE if volume.get(field) is not None]
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template is not None:
        warnings += claim_spec_warnings(template.get("spec") or {}, f"{path}.ephemeral.volumeClaimTemplate.spec")
    return warnings


def _fractional_warnings(resources: Mapping[str, Any], path: str, fields: tuple[str, ...]) -> list[str]:
    """About parts of bytes."""
    return [
        f'{path}.{field}[{name}]: fractional byte value "{resources[field][name]}" is invalid, must be an integer'
        for name in ("memory", "ephemeral-storage")
        for field in fields
        if name in (resources.get(field) or {}) and Quantity.parse(resources[field][name]).milli_value % 1000
    ]


def _repeated_variables(container: Mapping[str, Any], path: str) -> list[str]:
    warnings = []
    seen: dict[str, Any] = {}
    for i, variable in enumerate(container.get("env") or ()):
        name = variable.get("name") or ""
        value, reference = variable.get("value") or "", f"$({name})"
        if name in seen and (reference not in value or value == reference):
            warnings.append(
                f'{path}.env[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen[name] = variable
    return warnings
