"""Values as Kubernetes' internal types show them when a message quotes one.

Those types have no JSON tags, so that Go writes every field, empty ones too, under its Go name. Types of meta/v1 are
the same inside and outside, and are shown as clients know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from kubeactors.api.go_order import in_go_order
from kubeactors.api.protobuf.messages import json_fields, messages
from kubeactors.api.schema import overlay

_META: Final = "io.k8s.apimachinery."
_CORE: Final = "io.k8s.api.core.v1."

# Go's names that are not the name in JSON with a capital.
_NAMES: Final = {
    "awsElasticBlockStore": "AWSElasticBlockStore",
    "caBundle": "CABundle",
    "cel": "CEL",
    "cephfs": "CephFS",
    "cidr": "CIDR",
    "cidrs": "CIDRs",
    "csi": "CSI",
    "dnsConfig": "DNSConfig",
    "dnsPolicy": "DNSPolicy",
    "fc": "FC",
    "fsGroup": "FSGroup",
    "fsGroupChangePolicy": "FSGroupChangePolicy",
    "fsGroupPolicy": "FSGroupPolicy",
    "fsType": "FSType",
    "gcePersistentDisk": "GCEPersistentDisk",
    "grpc": "GRPC",
    "http": "HTTP",
    "httpGet": "HTTPGet",
    "httpHeaders": "HTTPHeaders",
    "ip": "IP",
    "ipBlock": "IPBlock",
    "ipFamilies": "IPFamilies",
    "ipFamilyPolicy": "IPFamilyPolicy",
    "ipMode": "IPMode",
    "ips": "IPs",
    "iscsi": "ISCSI",
    "iscsiInterface": "ISCSIInterface",
    "jsonPatch": "JSONPatch",
    "nfs": "NFS",
    "os": "OS",
    "osImage": "OSImage",
    "pdID": "PdID",
    "pdName": "PDName",
    "qosClass": "QOSClass",
    "rbd": "RBD",
    "seLinuxChangePolicy": "SELinuxChangePolicy",
    "seLinuxMount": "SELinuxMount",
    "seLinuxOptions": "SELinuxOptions",
    "storageos": "StorageOS",
    "targetWWNs": "TargetWWNs",
    "tcpSocket": "TCPSocket",
    "tls": "TLS",
    "ttlSecondsAfterFinished": "TTLSecondsAfterFinished",
    "tty": "TTY",
    "uid": "UID",
    "url": "URL",
    "wwids": "WWIDs",
    "apiGroup": "APIGroup",
    "apiGroups": "APIGroups",
    "apiVersion": "APIVersion",
    "apiVersions": "APIVersions",
}

# Fields of the internal types that are not those of the published ones, or stand in another order.
_HOST: Final = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_POD_SPEC: Final = (
    "volumes",
    "initContainers",
    "containers",
    "ephemeralContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "automountServiceAccountToken",
    "nodeName",
    "securityContext",
    "imagePullSecrets",
    "hostname",
    "subdomain",
    "setHostnameAsFQDN",
    "affinity",
    "schedulerName",
    "tolerations",
    "hostAliases",
    "priorityClassName",
    "priority",
    "preemptionPolicy",
    "dnsConfig",
    "readinessGates",
    "runtimeClassName",
    "overhead",
    "enableServiceLinks",
    "topologySpreadConstraints",
    "os",
    "schedulingGates",
    "resourceClaims",
    "resources",
    "hostnameOverride",
)
_POD_SECURITY_CONTEXT: Final = (
    "seLinuxOptions",
    "windowsOptions",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "seccompProfile",
    "appArmorProfile",
    "seLinuxChangePolicy",
)
# Fields that v1.37 has for features behind gates that are off, which are dropped: messages do not show them.
_GATED: Final = {
    f"{_CORE}ClusterTrustBundleProjection": frozenset({"user"}),
    f"{_CORE}ConfigMapVolumeSource": frozenset({"defaultUser"}),
    f"{_CORE}DownwardAPIVolumeFile": frozenset({"user"}),
    f"{_CORE}DownwardAPIVolumeSource": frozenset({"defaultUser"}),
    f"{_CORE}EmptyDirVolumeSource": frozenset({"mode"}),
    f"{_CORE}GRPCAction": frozenset({"mode"}),
    f"{_CORE}HTTPGetAction": frozenset({"protocol"}),
    f"{_CORE}KeyToPath": frozenset({"user"}),
    f"{_CORE}PodCertificateProjection": frozenset({"user"}),
    f"{_CORE}ProjectedVolumeSource": frozenset({"defaultUser"}),
    f"{_CORE}SecretVolumeSource": frozenset({"defaultUser"}),
    f"{_CORE}ServiceAccountTokenProjection": frozenset({"user"}),
    f"{_CORE}VolumeMount": frozenset({"bindMountOptions"}),
    "io.k8s.api.resource.v1.DeviceSubRequest": frozenset({"derivedAttributes"}),
    "io.k8s.api.resource.v1.ExactDeviceRequest": frozenset({"derivedAttributes"}),
}

_SCALAR_ZEROS: Final[Mapping[str, Any]] = {
    "string": "",
    "int": 0,
    "bool": False,
    "quantity": "0",
    "intstr": 0,
}


def internal_form(value: Any, schema: str) -> Any:
    """A value of the definition `schema` (or `[schema`, a list of them) as its internal type is written."""
    if value is None:
        return None
    if schema.startswith(_META):
        return in_go_order(value, schema)
    if schema.startswith("["):
        return [internal_form(each, schema[1:]) for each in value]
    if schema.startswith("{"):
        return {key: internal_form(value[key], schema[1:]) for key in sorted(value)}
    if schema == f"{_CORE}PodSpec":
        return _pod_spec(value)
    if schema == f"{_CORE}PodSecurityContext":
        codes = json_fields(schema)
        return _struct(value, schema, {name: codes[name] for name in _POD_SECURITY_CONTEXT})
    if schema not in messages():
        return value
    return _struct(value, schema, json_fields(schema))


def _struct(value: Mapping[str, Any], schema: str, fields: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    hidden = _GATED.get(schema, frozenset())
    for name, code in fields.items():
        if name == "metadata":
            # Embedded, and with tags of its own.
            shown |= in_go_order(value.get(name) or {}, code)
        elif name not in hidden:
            given = value.get(name)
            shown[_go_name(name)] = _zero(schema, name, code) if given is None else internal_form(given, code)
    return shown


def _zero(schema: str, name: str, code: str) -> Any:
    """What Go has for a field that is not set: null for pointers, lists and maps."""
    if code[0] in "[{" or _is_pointer(schema, name, code):
        return None
    if code in _SCALAR_ZEROS:
        return _SCALAR_ZEROS[code]
    return internal_form({}, code) if code in messages() else None


@cache
def _is_pointer(schema: str, name: str, code: str) -> bool:
    if code in messages() and code not in ("time", "microtime"):
        return overlay.presence_of(schema, name) != "a"
    return overlay.presence_of(schema, name) in ("p", "n")


def _go_name(name: str) -> str:
    return _NAMES.get(name) or name[0].upper() + name[1:]


def _pod_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A pod's namespaces of the host lie in its security context there."""
    schema = f"{_CORE}PodSpec"
    codes = json_fields(schema)
    fields = {name: codes[name] for name in _POD_SPEC}
    shown = _struct(spec, schema, fields)
    context = shown["SecurityContext"]
    host = {_go_name(name): spec[name] if name in spec else _zero(schema, name, codes[name]) for name in _HOST}
    if context is not None or any(host.values()):
        shown["SecurityContext"] = host | (context or internal_form({}, f"{_CORE}PodSecurityContext"))
    return shown
