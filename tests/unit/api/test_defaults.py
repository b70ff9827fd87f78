"""What the API server fills in."""

import pytest

from kubeactors.api.defaults.image import image_tag
from kubeactors.api.kinds import registry
from tests.support.api_samples import completed, container, deployment, pod, service, updated


def test_a_minimal_pod() -> None:
    made = completed("pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}})
    assert made["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("nginx", "latest"),
        ("nginx:1.2", "1.2"),
        ("registry.example:5000/x", "latest"),
        ("registry.example:5000/x:1", "1"),
        ("x@sha256:aa", ""),
        ("x:2@sha256:aa", "2"),
    ],
)
def test_tags_of_images(image: str, tag: str) -> None:
    assert image_tag(image) == tag


def test_probes_ports_and_sources() -> None:
    made = completed(
        "pods",
        pod(
            containers=[
                container(
                    ports=[{"containerPort": 80}],
                    livenessProbe={"httpGet": {"port": 80}},
                    startupProbe={"grpc": {"port": 9000}, "periodSeconds": 3},
                    lifecycle={"preStop": {"httpGet": {"port": 80}}},
                    env=[
                        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                    ],
                )
            ]
        ),
    )["spec"]["containers"][0]
    common = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert made["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert made["livenessProbe"] == {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **common}
    assert made["startupProbe"] == {"grpc": {"port": 9000, "service": ""}, **common, "periodSeconds": 3}
    assert made["lifecycle"]["preStop"]["httpGet"] == {"path": "/", "port": 80, "scheme": "HTTP"}
    assert made["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert made["env"][1]["valueFrom"]["resourceFieldRef"]["divisor"] == "0"


def test_volumes() -> None:
    made = completed(
        "pods",
        pod(
            volumes=[
                {"name": "plain"},
                {"name": "c", "configMap": {"name": "c"}},
                {"name": "h", "hostPath": {"path": "/x"}},
                {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            ]
        ),
    )["spec"]["volumes"]
    assert made[0]["emptyDir"] == {}
    assert made[1]["configMap"]["defaultMode"] == 0o644
    assert made[2]["hostPath"]["type"] == ""
    assert made[3]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_requests_follow_limits_and_decide_the_class() -> None:
    limits = {"cpu": "1", "memory": "1Gi"}
    guaranteed = completed("pods", pod(containers=[container(resources={"limits": limits})]))
    assert guaranteed["spec"]["containers"][0]["resources"]["requests"] == limits
    assert guaranteed["status"]["qosClass"] == "Guaranteed"
    burstable = completed(
        "pods", pod(containers=[container(resources={"limits": limits, "requests": {"cpu": "250m"}})])
    )
    assert burstable["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "250m", "memory": "1Gi"}
    assert burstable["status"]["qosClass"] == "Burstable"
    pod_level = completed("pods", pod(resources={"limits": limits}))
    assert pod_level["spec"]["resources"]["requests"] == limits
    assert pod_level["status"]["qosClass"] == "Guaranteed"


def test_pods_only_defaults_stay_out_of_templates() -> None:
    spec = completed("deployments", deployment())["spec"]
    assert "enableServiceLinks" not in spec["template"]["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


def test_host_network_scheduling_gates_and_negative_grace() -> None:
    ports = [{"containerPort": 80}]
    made = completed("pods", pod(hostNetwork=True, containers=[container(ports=ports)]))
    assert made["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    gated = completed("pods", pod(schedulingGates=[{"name": "example.com/g"}]))
    (condition,) = gated["status"]["conditions"]
    assert (condition["reason"], condition["lastProbeTime"]) == ("SchedulingGated", None)
    assert condition["lastTransitionTime"] is not None
    assert completed("pods", pod(terminationGracePeriodSeconds=-1))["spec"]["terminationGracePeriodSeconds"] == 1


def test_services() -> None:
    assert completed("services", service())["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    made = completed("services", service(type="NodePort", sessionAffinity="ClientIP"))["spec"]
    assert made["externalTrafficPolicy"] == "Cluster"
    assert made["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert completed("services", service(clusterIP="None"))["spec"]["clusterIPs"] == ["None"]


def test_secrets_namespaces_nodes_slices() -> None:
    secret = completed(
        "secrets", {"metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"a": "y", "b": "z"}}
    )
    assert (secret["type"], secret["data"]) == ("Opaque", {"a": "eQ==", "b": "eg=="})
    assert "stringData" not in secret
    namespace = completed("namespaces", {"metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "x"}}})
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
    assert (namespace["spec"], namespace["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
    node = completed("nodes", {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "4"}}})
    assert node["status"]["allocatable"] == {"cpu": "4"}
    one, two = "192.0.2.0/24", "2001:db8::/64"
    for given, wanted in (
        ({"podCIDR": one}, [one]),
        ({"podCIDRs": [one, two]}, [one, two]),
        ({"podCIDR": two, "podCIDRs": [one]}, [two]),
    ):
        spec = completed("nodes", {"metadata": {"name": "n"}, "spec": given})["spec"]
        assert (spec["podCIDR"], spec["podCIDRs"]) == (wanted[0], wanted)
    slice_ = completed(
        "endpointslices",
        {
            "metadata": {"name": "e"},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.1"]}],
            "ports": [{"port": 80}],
        },
    )
    assert slice_["ports"] == [{"port": 80, "name": "", "protocol": "TCP"}]
    assert slice_["endpoints"][0]["conditions"] == {}
    assert slice_["metadata"]["generation"] == 1


def test_defaults_are_idempotent() -> None:
    for resource, obj in (("pods", pod()), ("services", service()), ("deployments", deployment())):
        kind = registry.lookup(resource)
        made = completed(resource, obj)
        assert updated(kind, made, made) == made


def test_warnings() -> None:
    strategy = registry.lookup("pods").strategy
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B"}, {"name": "B", "value": "$(B)x"}]
    made = completed(
        "pods",
        pod(
            imagePullSecrets=[{"name": ""}],
            volumes=[{"name": "a", "projected": {"sources": [{}]}}, {"name": "b", "projected": {}}],
            nodeSelector={"beta.kubernetes.io/os": "linux"},
            containers=[container(env=env)],
        ),
    )
    assert strategy.warnings_on_create(made) == [
        'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        'volume "a" (Projected) has no sources provided',
        'spec.imagePullSecrets[0].name: invalid empty name ""',
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ]
    assert strategy.warnings_on_create(completed("pods", pod())) == []
    assert registry.lookup("endpoints").deprecation.startswith("v1 Endpoints is deprecated in v1.33+")


def test_pod_templates() -> None:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container()]}}
    made = completed("podtemplates", {"metadata": {"name": "t"}, "template": template})
    assert made["template"]["spec"]["restartPolicy"] == "Always"
    assert made["metadata"]["generation"] == 1


def test_resources_have_no_parts_below_thousandths() -> None:
    resources = {"limits": {"cpu": "100u", "memory": "1e-6", "example.com/x": "1001n"}}
    made = completed("pods", pod(containers=[container(resources=resources)]))["spec"]["containers"][0]["resources"]
    assert made["limits"] == {"cpu": "1m", "memory": "1e-3", "example.com/x": "1m"}
