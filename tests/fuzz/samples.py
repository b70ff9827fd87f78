"""A small object of each kind that most fields of are valid, by (group/version, plural)."""

from __future__ import annotations

from typing import Any, Final

_LABELS: Final = {"app": "a"}
_SELECTOR: Final = {"matchLabels": _LABELS}
_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": 1}}
_PROBE: Final = {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 3}
_CONTAINER: Final[dict[str, Any]] = {
    "name": "c",
    "image": "registry.example/c:1",
    "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}],
    "env": [{"name": "A", "value": "b"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "resources": _RESOURCES,
    "readinessProbe": _PROBE,
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}
_POD: Final[dict[str, Any]] = {
    "containers": [_CONTAINER],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "tolerations": [{"key": "a", "operator": "Exists"}],
}
_TEMPLATE: Final = {"metadata": {"labels": _LABELS}, "spec": _POD}
_CLAIM: Final = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_JOB: Final = {"template": {"spec": {**_POD, "restartPolicy": "Never"}}, "backoffLimit": 1}
_HOOK: Final = {
    "name": "a.example.com",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"url": "https://example.com/x"},
    "rules": [{"apiGroups": ["x.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["x"]}],
}
_MATCH: Final = {"resourceRules": _HOOK["rules"]}
_ROLE: Final = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
_SUBJECTS: Final = [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}]
_PEER: Final = {"podSelector": _SELECTOR}
_OBJECT_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 0},
                "list": {"type": "array", "items": {"type": "string"}},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}
_SHADES: Final = {
    "group": "fuzz.example.com",
    "scope": "Namespaced",
    "names": {"plural": "shades", "singular": "shade", "kind": "Shade", "listKind": "ShadeList"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _OBJECT_SCHEMA}}],
}
_DEVICES: Final = {"requests": [{"name": "d", "exactly": {"deviceClassName": "c.example.com"}}]}

SAMPLES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("v1", "configmaps"): {"data": {"a": "b"}, "binaryData": {"c": "AAAA"}},
    ("v1", "secrets"): {"data": {"a": "AAAA"}, "stringData": {"b": "c"}, "type": "Opaque"},
    ("v1", "pods"): {"spec": _POD},
    ("v1", "podtemplates"): {"template": _TEMPLATE},
    ("v1", "replicationcontrollers"): {"spec": {"replicas": 1, "selector": _LABELS, "template": _TEMPLATE}},
    ("v1", "services"): {"spec": {"selector": _LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}},
    ("v1", "endpoints"): {"subsets": [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"port": 80}]}]},
    ("v1", "serviceaccounts"): {},
    ("v1", "limitranges"): {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "100"}}]}},
    ("v1", "resourcequotas"): {"spec": {"hard": {"pods": "1000000"}}},
    ("v1", "persistentvolumeclaims"): {"spec": _CLAIM},
    ("v1", "persistentvolumes"): {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    ("v1", "nodes"): {"spec": {"podCIDR": "10.9.0.0/24"}, "status": {"capacity": {"cpu": "1"}}},
    ("v1", "namespaces"): {},
    ("v1", "events"): {"involvedObject": {"namespace": "NAMESPACE"}, "reason": "a", "type": "Normal"},
    ("events.k8s.io/v1", "events"): {
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/c",
        "reportingInstance": "i",
        "action": "a",
        "reason": "r",
        "type": "Normal",
        "regarding": {"namespace": "NAMESPACE"},
    },
    ("apps/v1", "deployments"): {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    ("apps/v1", "replicasets"): {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    ("apps/v1", "daemonsets"): {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    ("apps/v1", "statefulsets"): {
        "spec": {
            "serviceName": "s",
            "selector": _SELECTOR,
            "template": _TEMPLATE,
            "volumeClaimTemplates": [{"metadata": {"name": "w"}, "spec": _CLAIM}],
        }
    },
    ("apps/v1", "controllerrevisions"): {"revision": 1, "data": {"a": 1}},
    ("batch/v1", "jobs"): {"spec": _JOB},
    ("batch/v1", "cronjobs"): {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": _JOB}}},
    ("autoscaling/v1", "horizontalpodautoscalers"): {
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}
    },
    ("autoscaling/v2", "horizontalpodautoscalers"): {
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
            "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 10}]}},
        }
    },
    ("policy/v1", "poddisruptionbudgets"): {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"b": "c"}}}},
    ("networking.k8s.io/v1", "networkpolicies"): {
        "spec": {"podSelector": _SELECTOR, "ingress": [{"from": [_PEER], "ports": [{"port": 80}]}]}
    },
    ("networking.k8s.io/v1", "ingresses"): {
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}, "rules": [{"host": "a.b"}]}
    },
    ("networking.k8s.io/v1", "ingressclasses"): {"spec": {"controller": "example.com/c"}},
    ("networking.k8s.io/v1", "ipaddresses"): {"spec": {"parentRef": {"resource": "services", "name": "s"}}},
    ("networking.k8s.io/v1", "servicecidrs"): {"spec": {"cidrs": ["10.99.0.0/16"]}},
    ("rbac.authorization.k8s.io/v1", "roles"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "clusterroles"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "rolebindings"): {
        "subjects": _SUBJECTS,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
    },
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings"): {
        "subjects": _SUBJECTS,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
    },
    ("storage.k8s.io/v1", "storageclasses"): {"provisioner": "example.com/p"},
    ("storage.k8s.io/v1", "csidrivers"): {"spec": {"attachRequired": True}},
    ("storage.k8s.io/v1", "csinodes"): {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n"}]}},
    ("storage.k8s.io/v1", "csistoragecapacities"): {"storageClassName": "s", "capacity": "1Gi"},
    ("storage.k8s.io/v1", "volumeattachments"): {
        "spec": {"attacher": "a.example.com", "nodeName": "n", "source": {"persistentVolumeName": "p"}}
    },
    ("storage.k8s.io/v1", "volumeattributesclasses"): {"driverName": "d.example.com", "parameters": {"a": "b"}},
    ("scheduling.k8s.io/v1", "priorityclasses"): {"value": 5},
    ("node.k8s.io/v1", "runtimeclasses"): {"handler": "runc"},
    ("coordination.k8s.io/v1", "leases"): {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 10}},
    ("discovery.k8s.io/v1", "endpointslices"): {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 80}],
    },
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"): {"webhooks": [_HOOK]},
    ("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations"): {"webhooks": [_HOOK]},
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"): {
        "spec": {"matchConstraints": _MATCH, "validations": [{"expression": "object.a == 1"}]}
    },
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"): {
        "spec": {"policyName": "p", "validationActions": ["Deny"]}
    },
    ("apiregistration.k8s.io/v1", "apiservices"): {
        "spec": {
            "group": "away.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "service": {"name": "s", "namespace": "default"},
            "insecureSkipTLSVerify": True,
        }
    },
    ("apiextensions.k8s.io/v1", "customresourcedefinitions"): {"spec": _SHADES},
    ("flowcontrol.apiserver.k8s.io/v1", "flowschemas"): {
        "spec": {"priorityLevelConfiguration": {"name": "global-default"}, "matchingPrecedence": 9999}
    },
    ("flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations"): {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}, "nominalConcurrencyShares": 1}}
    },
    ("resource.k8s.io/v1", "resourceclaims"): {"spec": {"devices": _DEVICES}},
    ("resource.k8s.io/v1", "resourceclaimtemplates"): {"spec": {"spec": {"devices": _DEVICES}}},
    ("resource.k8s.io/v1", "deviceclasses"): {
        "spec": {"selectors": [{"cel": {"expression": 'device.driver == "d.example.com"'}}]}
    },
    ("resource.k8s.io/v1", "resourceslices"): {
        "spec": {
            "driver": "d.example.com",
            "nodeName": "n",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "d0"}],
        }
    },
    ("authentication.k8s.io/v1", "tokenreviews"): {"spec": {"token": "x"}},
    ("authorization.k8s.io/v1", "subjectaccessreviews"): {
        "spec": {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    },
    ("authorization.k8s.io/v1", "selfsubjectaccessreviews"): {
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}
    },
    ("authorization.k8s.io/v1", "localsubjectaccessreviews"): {
        "spec": {"user": "u", "resourceAttributes": {"namespace": "NAMESPACE", "verb": "get", "resource": "pods"}}
    },
    ("authorization.k8s.io/v1", "selfsubjectrulesreviews"): {"spec": {"namespace": "default"}},
    ("fuzz.example.com/v1", "widgets"): {"spec": {"size": 1, "list": ["a"], "any": {"b": 1}}},
}
#: The name of an object whose kind does not leave the choice.
NAMES: Final = {
    "apiservices": "v1.away.example.com",
    "customresourcedefinitions": "shades.fuzz.example.com",
    "ipaddresses": "10.96.0.77",
    "csidrivers": "d.example.com",
    "namespaces": "another",
}
WIDGETS: Final = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.fuzz.example.com"},
    "spec": {
        "group": "fuzz.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": _OBJECT_SCHEMA},
                "subresources": {"status": {}},
            }
        ],
    },
}


def sample(group_version: str, plural: str, name: str, namespace: str) -> dict[str, Any] | None:
    """The sample of a kind under a name; None where there is none."""
    found = SAMPLES.get((group_version, plural))
    if found is None:
        return None
    metadata: dict[str, Any] = {"name": NAMES.get(plural, name), "labels": dict(_LABELS)}
    made = {"metadata": metadata, **found}
    if plural == "csidrivers":
        return made
    for field in ("involvedObject", "regarding"):
        if field in made:
            made[field] = {**made[field], "namespace": namespace}
    if plural == "localsubjectaccessreviews":
        attributes = {**made["spec"]["resourceAttributes"], "namespace": namespace}
        made["spec"] = {**made["spec"], "resourceAttributes": attributes}
    return made
