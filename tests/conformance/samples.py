"""A small valid object of every kind that can be created, listed and watched, and a status where there is one."""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

TEMPLATE = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]},
}
JOB_TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
SELECTOR = {"matchLabels": {"app": "a"}}
TRUE = {"type": "Checked", "status": "True", "reason": "Tested", "message": "by a test"}
SINCE = {**TRUE, "lastTransitionTime": "2026-01-01T00:00:00Z"}
CEL = [{"expression": "true"}]
MATCHES = {
    "resourceRules": [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    ]
}
WEBHOOK = {
    "name": "w.example.com",
    "clientConfig": {"url": "https://webhook.invalid/"},
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "rules": [
        {"apiGroups": ["nothing.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}
    ],
}
METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "name": "x"}
DEVICES = {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu.example.com"}}]}


def _keys() -> tuple[str, str, str]:
    """The certificate of an authority (PEM), a request signed by its key as base64 of PEM, and of DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "conformance")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    pem, der = (base64.b64encode(request.public_bytes(form)).decode() for form in (Encoding.PEM, Encoding.DER))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(), pem, der


AUTHORITY, REQUEST, STUB_REQUEST = _keys()


@dataclass(frozen=True)
class Sample:
    """How to make objects of a kind. "{name}" and "{n}" stand for the object's name and its number."""

    api_version: str
    kind: str
    body: dict[str, Any]
    status: dict[str, Any] | None = None
    name: str = "conf-{n}"

    def make(self, n: int, label: str, namespace: str) -> dict[str, Any]:
        """Object number n, with the label `conformance`."""
        words = {"{name}": self.name.format(n=n), "{n}": str(n), "{namespace}": namespace}
        body = _filled(copy.deepcopy(self.body), words)
        metadata = {"name": words["{name}"], "labels": {"conformance": label}}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, **body}


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    if isinstance(value, str):
        for word, meant in words.items():
            value = value.replace(word, meant)
    return value


def _spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


SAMPLES = (
    Sample("v1", "ConfigMap", {"data": {"k": "v"}}),
    Sample("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]}),
    Sample(
        "v1",
        "Event",
        {
            "involvedObject": {"kind": "Pod", "namespace": "{namespace}", "name": "p"},
            "reason": "Tested",
            "message": "m",
            "type": "Normal",
            "source": {"component": "t"},
        },
    ),
    Sample(
        "v1",
        "LimitRange",
        _spec(limits=[{"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "1"}}]),
    ),
    Sample("v1", "Namespace", {}, status={"conditions": [SINCE]}),
    Sample("v1", "Node", _spec(unschedulable=True), status={"conditions": [SINCE]}),
    Sample(
        "v1",
        "PersistentVolume",
        _spec(
            capacity={"storage": "1Gi"},
            accessModes=["ReadWriteOnce"],
            hostPath={"path": "/tmp/{name}"},
            storageClassName="none",
        ),
        status={"message": "by a test"},
    ),
    Sample(
        "v1",
        "PersistentVolumeClaim",
        _spec(accessModes=["ReadWriteOnce"], storageClassName="none", resources={"requests": {"storage": "1Gi"}}),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "v1",
        "Pod",
        _spec(**TEMPLATE["spec"], schedulingGates=[{"name": "example.com/never"}], terminationGracePeriodSeconds=0),
        status={"conditions": [SINCE]},
    ),
    Sample("v1", "PodTemplate", {"template": TEMPLATE}),
    Sample("v1", "ReplicationController", _spec(replicas=0, template=TEMPLATE), status={"conditions": [SINCE]}),
    Sample("v1", "ResourceQuota", _spec(hard={"pods": "5"}), status={"hard": {"pods": "5"}, "used": {"pods": "0"}}),
    Sample("v1", "Secret", {"stringData": {"k": "v"}}),
    Sample("v1", "ServiceAccount", {"automountServiceAccountToken": False}),
    Sample("v1", "Service", _spec(ports=[{"port": 80}]), status={"conditions": [SINCE]}),
    Sample(
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy",
        _spec(
            matchConstraints=MATCHES,
            reinvocationPolicy="Never",
            mutations=[{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}],
        ),
    ),
    Sample("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding", _spec(policyName="nothing")),
    Sample("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {"webhooks": [WEBHOOK]}),
    Sample(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        _spec(matchConstraints=MATCHES, validations=CEL),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        _spec(policyName="nothing", validationActions=["Deny"]),
    ),
    Sample("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", {"webhooks": [WEBHOOK]}),
    Sample(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        _spec(
            group="g{n}.example.com",
            scope="Namespaced",
            names={"plural": "things", "kind": "Thing"},
            versions=[
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        ),
        name="things.g{n}.example.com",
        status={"conditions": [SINCE]},
    ),
    Sample(
        "apiregistration.k8s.io/v1",
        "APIService",
        _spec(
            group="aggregated{n}.example.com",
            version="v1",
            groupPriorityMinimum=100,
            versionPriority=10,
            insecureSkipTLSVerify=True,
            service={"namespace": "default", "name": "nobody"},
        ),
        name="v1.aggregated{n}.example.com",
        status={"conditions": [SINCE]},
    ),
    # The official client sends a space behind each colon; data that were sent with spaces no patch could leave alone.
    Sample("apps/v1", "ControllerRevision", {"revision": 1, "data": {}}),
    Sample("apps/v1", "DaemonSet", _spec(selector=SELECTOR, template=TEMPLATE), status={"conditions": [SINCE]}),
    Sample(
        "apps/v1", "Deployment", _spec(replicas=0, selector=SELECTOR, template=TEMPLATE), status={"conditions": [SINCE]}
    ),
    Sample(
        "apps/v1", "ReplicaSet", _spec(replicas=0, selector=SELECTOR, template=TEMPLATE), status={"conditions": [SINCE]}
    ),
    Sample(
        "apps/v1",
        "StatefulSet",
        _spec(replicas=0, serviceName="none", selector=SELECTOR, template=TEMPLATE),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        _spec(maxReplicas=3, scaleTargetRef={"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}),
        status={"currentReplicas": 1, "desiredReplicas": 2},
    ),
    Sample(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        _spec(
            maxReplicas=3, scaleTargetRef={"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, metrics=[METRIC]
        ),
        status={"currentReplicas": 1, "desiredReplicas": 2, "conditions": [SINCE]},
    ),
    Sample(
        "batch/v1",
        "CronJob",
        _spec(schedule="0 0 1 1 *", suspend=True, jobTemplate={"spec": {"template": JOB_TEMPLATE}}),
        status={"lastScheduleTime": "2026-01-01T00:00:00Z"},
    ),
    Sample(
        "batch/v1",
        "Job",
        _spec(suspend=True, template=JOB_TEMPLATE),
        status={"conditions": [{**TRUE, "type": "Suspended"}], "startTime": None},
    ),
    Sample(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        _spec(request=REQUEST, signerName="example.com/nobody", usages=["client auth"]),
        status={"conditions": [{**TRUE, "type": "Failed"}]},
    ),
    Sample("certificates.k8s.io/v1", "ClusterTrustBundle", _spec(trustBundle=AUTHORITY)),
    Sample(
        "certificates.k8s.io/v1",
        "PodCertificateRequest",
        _spec(
            signerName="example.com/s",
            podName="p",
            podUID="u",
            nodeName="node-a",
            nodeUID="u",
            serviceAccountName="default",
            serviceAccountUID="u",
            stubPKCS10Request=STUB_REQUEST,
        ),
        status={"conditions": [{**SINCE, "type": "Denied"}]},
    ),
    Sample("coordination.k8s.io/v1", "Lease", _spec(holderIdentity="h", leaseDurationSeconds=30, leaseTransitions=0)),
    Sample(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"name": "p", "port": 80}]},
    ),
    Sample(
        "events.k8s.io/v1",
        "Event",
        {
            "regarding": {"kind": "Pod", "namespace": "{namespace}", "name": "p"},
            "reason": "Tested",
            "note": "n",
            "type": "Normal",
            "action": "Testing",
            "reportingController": "example.com/t",
            "reportingInstance": "t-1",
            "eventTime": "2026-01-01T00:00:00.000000Z",
        },
        name="conf-e-{n}",
    ),
    Sample(
        "flowcontrol.apiserver.k8s.io/v1",
        "FlowSchema",
        _spec(matchingPrecedence=9000, priorityLevelConfiguration={"name": "exempt"}),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        _spec(type="Limited", limited={"nominalConcurrencyShares": 2, "limitResponse": {"type": "Reject"}}),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "networking.k8s.io/v1",
        "Ingress",
        _spec(defaultBackend={"service": {"name": "s", "port": {"number": 80}}}),
        status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    ),
    Sample("networking.k8s.io/v1", "IngressClass", _spec(controller="example.com/controller")),
    Sample(
        "networking.k8s.io/v1",
        "IPAddress",
        _spec(parentRef={"resource": "services", "namespace": "default", "name": "x"}),
        name="192.0.2.{n}",
    ),
    Sample("networking.k8s.io/v1", "NetworkPolicy", _spec(podSelector={}, policyTypes=["Ingress"])),
    Sample("networking.k8s.io/v1", "ServiceCIDR", _spec(cidrs=["198.51.100.{n}/32"]), status={"conditions": [SINCE]}),
    Sample("node.k8s.io/v1", "RuntimeClass", {"handler": "crun"}),
    Sample(
        "policy/v1",
        "PodDisruptionBudget",
        _spec(minAvailable=1, selector={"matchLabels": {"app": "no-such"}}),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ),
    Sample(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        {"roleRef": {**ROLE, "kind": "ClusterRole"}, "subjects": [{"kind": "User", "name": "u"}]},
    ),
    Sample(
        "rbac.authorization.k8s.io/v1",
        "Role",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ),
    Sample(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        {"roleRef": {**ROLE, "kind": "Role"}, "subjects": [{"kind": "User", "name": "u"}]},
    ),
    Sample("resource.k8s.io/v1", "DeviceClass", _spec(selectors=[{"cel": {"expression": "true"}}])),
    Sample(
        "resource.k8s.io/v1",
        "DeviceTaintRule",
        _spec(deviceSelector={"driver": "none.example.com"}, taint={"key": "example.com/t", "effect": "NoSchedule"}),
        status={"conditions": [SINCE]},
    ),
    Sample(
        "resource.k8s.io/v1",
        "ResourceClaim",
        _spec(devices=DEVICES),
        status={
            "allocation": {
                "devices": {"results": [{"request": "r", "driver": "d.example.com", "pool": "p", "device": "d"}]}
            }
        },
    ),
    Sample("resource.k8s.io/v1", "ResourceClaimTemplate", {"spec": {"spec": {"devices": DEVICES}}}),
    Sample(
        "resource.k8s.io/v1",
        "ResourceSlice",
        _spec(
            driver="none.example.com",
            pool={"name": "p{n}", "generation": 1, "resourceSliceCount": 1},
            nodeName="node-a",
            devices=[{"name": "d"}],
        ),
    ),
    Sample("scheduling.k8s.io/v1", "PriorityClass", {"value": 7, "description": "d"}),
    Sample(
        "storage.k8s.io/v1", "CSIDriver", _spec(attachRequired=False, podInfoOnMount=True), name="driver{n}.example.com"
    ),
    Sample("storage.k8s.io/v1", "CSINode", _spec(drivers=[])),
    Sample("storage.k8s.io/v1", "CSIStorageCapacity", {"storageClassName": "none", "capacity": "1Gi"}),
    Sample("storage.k8s.io/v1", "StorageClass", {"provisioner": "example.com/p"}),
    Sample(
        "storage.k8s.io/v1",
        "VolumeAttachment",
        _spec(attacher="example.com", nodeName="node-a", source={"persistentVolumeName": "pv"}),
        status={"attached": True},
    ),
    Sample("storage.k8s.io/v1", "VolumeAttributesClass", {"driverName": "d.example.com", "parameters": {"k": "v"}}),
    Sample(
        "storagemigration.k8s.io/v1",
        "StorageVersionMigration",
        _spec(resource={"group": "apps", "resource": "deployments"}),
        status={"conditions": [SINCE]},
    ),
)
