"""Refusals of services, workloads, config and cluster kinds, in Kubernetes' words."""

from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import completed, create_errors, deployment, service, update_errors, updated


def slice_of(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": [], **fields}


def node(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "spec": spec}


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        ("services", service(), []),
        ("services", service(ports=[]), ["spec.ports: Required value"]),
        ("services", service(ports=[], clusterIP="None"), []),
        (
            "services",
            service(ports=[{"port": 0}]),
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            "services",
            service(ports=[{"port": 80}, {"port": 81}]),
            ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            "services",
            service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 80}]),
            [
                'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,'
                '"TargetPort":0,"NodePort":0}'
            ],
        ),
        (
            "services",
            service(ports=[{"port": 80, "nodePort": 30080}]),
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            "services",
            service(type="X"),
            [
                'spec.type: Unsupported value: "X": '
                'supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
            ],
        ),
        (
            "services",
            {"metadata": {"name": "s"}, "spec": {"type": "ExternalName"}},
            ["spec.externalName: Required value"],
        ),
        (
            "services",
            service(type="NodePort", clusterIP="None"),
            ["spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"],
        ),
        (
            "services",
            service(clusterIP="10.96.0.9", clusterIPs=["10.96.0.8"]),
            ['spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`'],
        ),
        ("deployments", deployment(), []),
        (
            "deployments",
            {"metadata": {"name": "d"}, "spec": {}},
            [
                "spec.selector: Required value",
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
                "spec.template.spec.containers: Required value",
            ],
        ),
        (
            "deployments",
            deployment(selector={}),
            ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (
            "deployments",
            deployment(selector={"matchLabels": {"app": "b"}}),
            ['spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`'],
        ),
        (
            "deployments",
            deployment(replicas=-1),
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            "deployments",
            deployment(strategy={"type": "Recreate", "rollingUpdate": {}}),
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            "deployments",
            deployment(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}),
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            "deployments",
            deployment(progressDeadlineSeconds=5, minReadySeconds=5),
            ["spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"],
        ),
        (
            "endpointslices",
            slice_of(endpoints=[{"addresses": ["::1"]}]),
            [
                'endpoints[0].addresses: Invalid value: "::1": must be an IPv4 address',
                'endpoints[0].addresses[0]: Invalid value: "::1": '
                "may not be in the loopback range (127.0.0.0/8, ::1/128)",
            ],
        ),
        ("endpointslices", slice_of(addressType=""), ["addressType: Required value"]),
        ("endpointslices", slice_of(ports=[{"port": 1}, {"port": 2}]), ['ports[1].name: Duplicate value: ""']),
        (
            "endpoints",
            {"metadata": {"name": "e"}, "subsets": [{}]},
            ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
        ),
        (
            "nodes",
            node(taints=[{"key": "k", "effect": "X"}]),
            [
                'metadata.taints[0].effect: Unsupported value: "X": '
                'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
            ],
        ),
        (
            "nodes",
            node(podCIDRs=["10.1.0.0/24", "10.2.0.0/24"]),
            [
                'spec.podCIDRs: Invalid value: ["10.1.0.0/24","10.2.0.0/24"]: '
                "may specify no more than one CIDR for each IP family"
            ],
        ),
        (
            "leases",
            {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 0}},
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
        ),
        (
            "configmaps",
            {"metadata": {"name": "c"}, "data": {"a": "x" * (1024 * 1024 + 1)}},
            ["[]: Too long: may not be more than 1048576 bytes"],
        ),
        (
            "secrets",
            {"metadata": {"name": "s"}, "type": "kubernetes.io/tls"},
            ["data[tls.crt]: Required value", "data[tls.key]: Required value"],
        ),
        ("namespaces", {"metadata": {"name": "a.b"}}, ['metadata.name: Invalid value: "a.b": must not contain dots']),
    ],
)
def test_objects_that_are_refused(resource: str, obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


@pytest.mark.parametrize(
    ("references", "error"),
    [
        ([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}], '.uid: Invalid value: "": must not be empty'),
        (
            [{"apiVersion": "", "kind": "Pod", "name": "p", "uid": "1"}],
            '.apiVersion: Invalid value: "": version must not be empty',
        ),
        (
            [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": u, "controller": True} for u in "12"],
            ": Invalid value: ",
        ),
    ],
)
def test_owner_references(references: list[dict[str, Any]], error: str) -> None:
    obj = {"metadata": {"name": "c", "ownerReferences": references}}
    (found,) = create_errors("configmaps", obj)
    assert found.startswith(f"metadata.ownerReferences{error}")


def test_immutable_config_maps_and_secrets() -> None:
    old = completed("configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}, "immutable": True})
    text = "Forbidden: field is immutable when `immutable` is set"
    assert update_errors("configmaps", old, {**old, "data": {"k": "2"}}) == [f"data: {text}"]
    assert update_errors("configmaps", old, {**old, "immutable": False}) == [f"immutable: {text}"]
    assert update_errors("configmaps", old, {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}) == []
    secret = completed("secrets", {"metadata": {"name": "s"}})
    assert update_errors("secrets", secret, {**secret, "type": "example.com/x"}) == [
        'type: Invalid value: "example.com/x": field is immutable'
    ]


def test_frozen_metadata_is_reported_twice_as_kubernetes_does() -> None:
    kind = registry.lookup("configmaps")
    old = completed("configmaps", {"metadata": {"name": "c"}})
    new = copy(old)
    new["metadata"]["uid"] = "x"
    errors = kind.strategy.validate_update(updated(kind, old, new), old)
    assert [str(e) for e in errors] == ['metadata.uid: Invalid value: "x": field is immutable'] * 2


def test_selectors_and_address_types_are_frozen() -> None:
    old = completed("deployments", deployment())
    new = copy(old)
    new["spec"]["selector"] = {"matchLabels": {"app": "b"}}
    new["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    assert update_errors("deployments", old, new) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable'
    ]
    slice_ = completed("endpointslices", slice_of())
    assert update_errors("endpointslices", slice_, {**slice_, "addressType": "IPv6"}) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]


def test_node_ranges_are_set_once() -> None:
    old = completed("nodes", node(podCIDR="10.1.0.0/24", podCIDRs=["10.1.0.0/24"], providerID="x://1"))
    new = {**old, "spec": {**old["spec"], "podCIDR": "10.2.0.0/24", "podCIDRs": ["10.2.0.0/24"]}}
    assert update_errors("nodes", old, new) == [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'
    ]
    fresh = completed("nodes", node())
    assert (
        update_errors("nodes", fresh, {**fresh, "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}) == []
    )


def test_a_cluster_address_is_set_once() -> None:
    old = completed("services", service(clusterIP="10.96.0.9"))
    moved = {**old, "spec": {**old["spec"], "clusterIP": "10.96.0.8"}}
    assert update_errors("services", old, moved) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'
    ]
    moved = {**old, "spec": {**old["spec"], "clusterIPs": ["10.96.0.8"]}}
    assert update_errors("services", old, moved) == [
        'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set',
        'spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`',
    ]


def test_status_writes_are_checked() -> None:
    old = completed("deployments", deployment())
    new = {**old, "status": {"replicas": 1, "readyReplicas": 2}}
    assert update_errors("deployments", old, new, "status") == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ]
    namespace = completed("namespaces", {"metadata": {"name": "n"}})
    assert update_errors("namespaces", namespace, {**namespace, "status": {"phase": "Terminating"}}, "status") == [
        "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
    ]


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (
            {"loadBalancerSourceRanges": [" 10.0.0.1/8"], "allocateLoadBalancerNodePorts": True},
            [
                "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
                'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": '
                "must not have bits set beyond the prefix length",
                "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
            ],
        ),
        ({"type": "LoadBalancer", "ports": [{"port": 10250}]}, []),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            ["spec.healthCheckNodePort: Required value"],
        ),
        ({"externalIPs": ["010.0.0.1"]}, ['spec.externalIPs[0]: Invalid value: "010.0.0.1": must not have leading 0s']),
        (
            {"trafficDistribution": "Far"},
            [
                'spec.trafficDistribution: Unsupported value: "Far": '
                'supported values: "PreferClose", "PreferSameZone", "PreferSameNode"'
            ],
        ),
    ],
)
def test_services_of_balancers_and_addresses(spec: dict[str, Any], errors: list[str]) -> None:
    assert create_errors("services", service(**spec)) == errors


def test_a_second_address_goes_with_its_policy() -> None:
    both = {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"], "ipFamilies": ["IPv4", "IPv6"]}
    old = completed("services", service(**both, ipFamilyPolicy="RequireDualStack"))
    one = {"clusterIPs": ["10.96.0.9"], "ipFamilies": ["IPv4"]}
    shown = "Invalid value: \"RequireDualStack\": must be set to 'SingleStack' when releasing the secondary"
    assert update_errors("services", old, {**old, "spec": {**old["spec"], **one}}) == [
        f"spec.ipFamilyPolicy: {shown} clusterIP",
        f"spec.ipFamilyPolicy: {shown} ipFamily",
    ]
    single = {**old["spec"], **one, "ipFamilyPolicy": "SingleStack"}
    assert update_errors("services", old, {**old, "spec": single}) == []


def test_amounts_features_and_ranges_of_nodes() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.0.0.1/24", "10.1.0.0/24"]}}
    status = {"capacity": {"cpu": "-1"}, "allocatable": {"cpu": "1"}, "declaredFeatures": ["B", "A/b", "x"]}
    assert create_errors("nodes", {**node, "status": status}) == [
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.declaredFeatures[1]: Invalid value: "A/b": list must be sorted alphabetically',
        'status.declaredFeatures[2]: Invalid value: "x": invalid feature name "x": must start with an UpperCamelCase '
        "segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain "
        "only alphanumeric characters and slashes",
        'spec.podCIDRs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length',
        'spec.podCIDRs: Invalid value: ["10.0.0.1/24","10.1.0.0/24"]: '
        "may specify no more than one CIDR for each IP family",
    ]
    twice = create_errors("nodes", {**node, "spec": {"podCIDRs": ["10.1.0.0/24", "10.1.0.0/24"]}})
    assert twice[1:] == ['spec.podCIDRs[1]: Duplicate value: "10.1.0.0/24"']


def test_finalizers_of_namespaces() -> None:
    kind = registry.lookup("namespaces")
    old = completed("namespaces", {"metadata": {"name": "n"}})
    new = {**old, "spec": {"finalizers": ["kubernetes", "plain"]}}
    strategy = kind.strategy_for("finalize")
    assert strategy is not None
    assert [str(e) for e in strategy.validate_update(updated(kind, old, new, "finalize"), old)] == [
        'spec.finalizers[1]: Invalid value: "plain": '
        "name is neither a standard finalizer name nor is it fully qualified"
    ]


def test_counts_of_replication_controllers() -> None:
    spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
    old = completed("replicationcontrollers", {"metadata": {"name": "r"}, "spec": spec})
    new = {**old, "status": {"replicas": -1}}
    above = "Invalid value: 0: cannot be greater than status.replicas"
    assert update_errors("replicationcontrollers", old, new, "status") == [
        "status.replicas: Invalid value: -1: must be greater than or equal to 0",
        *(f"status.{count}: {above}" for count in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")),
    ]


@pytest.mark.parametrize(
    ("address", "errors"),
    [
        ("x.example.", []),
        ("localhost", ['Invalid value: "localhost": should be a domain with at least two segments separated by dots']),
        ("", ["Required value"]),
        (f"{'x' * 64}.example", [f'Invalid value: "{"x" * 64}": must be no more than 63 characters']),
    ],
)
def test_domains_of_endpoint_slices(address: str, errors: list[str]) -> None:
    made = slice_of(addressType="FQDN", endpoints=[{"addresses": [address]}])
    assert create_errors("endpointslices", made) == [f"endpoints[0].addresses[0]: {error}" for error in errors]


def test_zones_that_endpoints_are_for() -> None:
    hints = {"forZones": [{"name": "a b"}]}
    (found,) = create_errors("endpointslices", slice_of(endpoints=[{"addresses": ["10.0.0.1"], "hints": hints}]))
    assert found.startswith('endpoints[0].hints.forZones[0].name: Invalid value: "a b": a valid label must be')
