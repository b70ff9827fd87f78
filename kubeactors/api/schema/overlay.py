"""What the definitions lack: how Kubernetes' types are written back.

Go's encoder leaves an empty optional field out unless the field is a pointer, and always writes nested structs and
times that are no pointers. Neither shows in the published schema, so both are listed here by the types' short names.
"""

from collections.abc import Mapping
from typing import Any, Final

# Optional booleans and numbers that are plain values: false and 0 are left out. All others are pointers.
_PLAIN_VALUES: Final = frozenset(
    {
        "paused",
        "suspended",
        "stdin",
        "stdinOnce",
        "tty",
        "chapAuthDiscovery",
        "chapAuthSession",
        "sslEnabled",
        "readOnly",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "unschedulable",
        "publishNotReadyAddresses",
        "minReadySeconds",
        "availableReplicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "unavailableReplicas",
        "updatedReplicas",
        "currentReplicas",
        "numberAvailable",
        "numberUnavailable",
        "updatedNumberScheduled",
        "observedGeneration",
        "generation",
        "sizeBytes",
        "hostPort",
        "nodePort",
        "healthCheckNodePort",
        "signal",
        "count",
        "deprecatedCount",
        "partition",
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
        "minimum",
    }
)
_PLAIN_IN: Final = {
    "DeploymentStatus": frozenset({"replicas"}),
    "ScaleSpec": frozenset({"replicas"}),
}
_POINTERS_IN: Final[dict[str, frozenset[str]]] = {
    "AzureDiskVolumeSource": frozenset({"readOnly", "cachingMode", "fsType"}),
    "CSIVolumeSource": frozenset({"readOnly", "fsType"}),
    "ClientIPConfig": frozenset({"timeoutSeconds"}),
    "RollingUpdateStatefulSetStrategy": frozenset({"partition"}),
    "AppArmorProfile": frozenset({"localhostProfile"}),
    "ClusterTrustBundleProjection": frozenset({"name", "signerName"}),
    "Container": frozenset({"restartPolicy"}),
    "ContainerStatus": frozenset({"stopSignal"}),
    "EphemeralContainer": frozenset({"restartPolicy"}),
    "Endpoint": frozenset({"hostname", "nodeName", "zone"}),
    "EndpointAddress": frozenset({"nodeName"}),
    "EndpointPort": frozenset({"appProtocol"}),
    "GRPCAction": frozenset({"service", "mode"}),
    "HTTPGetAction": frozenset({"protocol"}),
    "HostPathVolumeSource": frozenset({"type"}),
    "LeaseSpec": frozenset({"holderIdentity", "preferredHolder", "strategy"}),
    "Lifecycle": frozenset({"stopSignal"}),
    "LoadBalancerIngress": frozenset({"ipMode"}),
    "PersistentVolumeClaimSpec": frozenset({"storageClassName", "volumeAttributesClassName", "volumeMode"}),
    "PodDNSConfigOption": frozenset({"value"}),
    "PodResourceClaim": frozenset({"resourceClaimName", "resourceClaimTemplateName"}),
    "PodResourceClaimStatus": frozenset({"resourceClaimName"}),
    "PodSchedulingGroup": frozenset({"podGroupName"}),
    "PodSecurityContext": frozenset({"fsGroupChangePolicy", "seLinuxChangePolicy", "supplementalGroupsPolicy"}),
    "PodSpec": frozenset({"hostnameOverride", "preemptionPolicy", "runtimeClassName"}),
    "PortStatus": frozenset({"error"}),
    "SeccompProfile": frozenset({"localhostProfile"}),
    "SecurityContext": frozenset({"procMount"}),
    "ServicePort": frozenset({"appProtocol"}),
    "ServiceSpec": frozenset(
        {"internalTrafficPolicy", "ipFamilyPolicy", "loadBalancerClass", "trafficDistribution"},
    ),
    "TopologySpreadConstraint": frozenset({"nodeAffinityPolicy", "nodeTaintsPolicy"}),
    "TypedLocalObjectReference": frozenset({"apiGroup"}),
    "TypedObjectReference": frozenset({"apiGroup", "namespace"}),
    "VolumeMount": frozenset({"mountPropagation", "recursiveReadOnly"}),
    "VolumeMountStatus": frozenset({"recursiveReadOnly"}),
    "WindowsSecurityContextOptions": frozenset({"gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"}),
    "DeleteOptions": frozenset({"propagationPolicy"}),
    "Preconditions": frozenset({"resourceVersion", "uid"}),
}
_ALL_POINTERS: Final = frozenset({"io.k8s.api.discovery.v1.EndpointPort"})

STRUCT: Final = object()  # stands for the empty value of the field's struct
NULL: Final = None  # an unset time

# Optional fields that are written even when empty.
_ALWAYS: Final[dict[str, Mapping[str, Any]]] = {
    "Container": {"resources": STRUCT},
    "EphemeralContainer": {"resources": STRUCT},
    "PersistentVolumeClaimSpec": {"resources": STRUCT},
    "PersistentVolumeClaimTemplate": {"metadata": STRUCT},
    "PodTemplate": {"metadata": STRUCT, "template": STRUCT},
    "PodTemplateSpec": {"metadata": STRUCT, "spec": STRUCT},
    "ReplicaSetSpec": {"template": STRUCT},
    "DeploymentSpec": {"strategy": STRUCT},
    "Namespace": {"metadata": STRUCT, "spec": STRUCT, "status": STRUCT},
    "Node": {"metadata": STRUCT, "spec": STRUCT, "status": STRUCT},
    "Pod": {"metadata": STRUCT, "spec": STRUCT, "status": STRUCT},
    "Service": {"metadata": STRUCT, "spec": STRUCT, "status": STRUCT},
    "Deployment": {"metadata": STRUCT},
    "ReplicaSet": {"metadata": STRUCT},
    "Lease": {"metadata": STRUCT, "spec": STRUCT},
    "ConfigMap": {"metadata": STRUCT},
    "Secret": {"metadata": STRUCT},
    "ServiceAccount": {"metadata": STRUCT},
    "Endpoints": {"metadata": STRUCT},
    "Binding": {"metadata": STRUCT},
    "Eviction": {"metadata": STRUCT},
    "Scale": {"metadata": STRUCT, "spec": STRUCT, "status": STRUCT},
    "Endpoint": {"conditions": STRUCT},
    "EndpointSlice": {"metadata": STRUCT, "endpoints": NULL, "ports": NULL},
    "NodeStatus": {"daemonEndpoints": STRUCT, "nodeInfo": STRUCT},
    "NodeDaemonEndpoints": {"kubeletEndpoint": STRUCT},
    "ServiceStatus": {"loadBalancer": STRUCT},
    "ContainerStatus": {"state": STRUCT, "lastState": STRUCT},
    "ContainerStateRunning": {"startedAt": NULL},
    "ContainerStateTerminated": {"startedAt": NULL, "finishedAt": NULL},
    "PodCondition": {"lastProbeTime": NULL, "lastTransitionTime": NULL},
    "NodeCondition": {"lastHeartbeatTime": NULL, "lastTransitionTime": NULL},
    "DeploymentCondition": {"lastUpdateTime": NULL, "lastTransitionTime": NULL},
    "ReplicaSetCondition": {"lastTransitionTime": NULL},
    "NamespaceCondition": {"lastTransitionTime": NULL},
    "io.k8s.api.core.v1.Event": {
        "source": STRUCT,
        "firstTimestamp": NULL,
        "lastTimestamp": NULL,
        "eventTime": NULL,
        "reportingComponent": "",
        "reportingInstance": "",
    },
    "io.k8s.api.events.v1.Event": {
        "metadata": STRUCT,
        "regarding": STRUCT,
        "deprecatedSource": STRUCT,
        "deprecatedFirstTimestamp": NULL,
        "deprecatedLastTimestamp": NULL,
    },
}


# Required structs that are pointers: nothing is written for a missing one, so that validation sees that it is missing.
_REQUIRED_POINTERS: Final = frozenset(
    {
        ("DaemonSetSpec", "selector"),
        ("DeploymentSpec", "selector"),
        ("ReplicaSetSpec", "selector"),
        ("StatefulSetSpec", "selector"),
    }
)


def is_pointer(owner: str, field: str) -> bool:
    """Whether a required field is a pointer to a struct."""
    return (owner.rpartition(".")[2], field) in _REQUIRED_POINTERS


def keeps_zero(owner: str, field: str, scalar: str) -> bool:
    """Whether an empty value of an optional scalar field is stored."""
    short = owner.rpartition(".")[2]
    if owner in _ALL_POINTERS or field in _POINTERS_IN.get(short, ()):
        return True
    if scalar == "string":
        return False
    return field not in _PLAIN_VALUES and field not in _PLAIN_IN.get(short, ())


def always_present(owner: str) -> Mapping[str, Any]:
    """Optional fields of a definition that are always written, with their empty values."""
    return _ALWAYS.get(owner) or _ALWAYS.get(owner.rpartition(".")[2]) or {}
