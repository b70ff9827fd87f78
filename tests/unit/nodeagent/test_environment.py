"""Environments, expansion and field references."""

import base64

import pytest

from kubeactors.api.meta import Object
from nodeagent.pods.environment import (
    ConfigError,
    environment,
    environment_needs_pod_ip,
    references,
    service_variables,
)
from nodeagent.pods.expansion import MissingValues, expand, expand_fully
from nodeagent.pods.field_refs import FieldError, PodFacts, field_value, resource_value
from tests.unit.nodeagent.pods import c, pod

FACTS = PodFacts("n1", ("192.0.2.1",), ("10.0.0.5",), {"cpu": "2", "memory": "4Gi"})
OBJECTS = {
    ("configmaps", "cm"): {"data": {"a": "1", "b": "2"}, "binaryData": {"bin": base64.b64encode(b"\xff").decode()}},
    ("secrets", "s"): {"data": {"password": base64.b64encode(b"hunter2").decode()}},
}


def find(resource: str, name: str) -> Object | None:
    return OBJECTS.get((resource, name))


def env_of(container: Object, **options) -> dict[str, str]:
    obj = pod(container)
    obj["metadata"].update(labels={"app": "web"}, annotations={"note": "x"})
    obj["spec"].update(options)
    return environment(obj, container, FACTS, [], find).variables


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(NONE)", "$(NONE)"),
        ("$$(A)", "$(A)"),
        ("$$$$(A)", "$$(A)"),
        ("$(A", "$(A"),
        ("cost: 5$", "cost: 5$"),
        ("$A", "$A"),
        ("$()", "$()"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}, {"A": "other", "B": "2"}) == expanded


def test_expansion_where_every_name_needs_a_value() -> None:
    assert expand_fully("$(A)/$$(B)", {"A": "1"}) == "1/$(B)"
    with pytest.raises(MissingValues, match=r"^missing value for B, EMPTY$"):
        expand_fully("$(EMPTY)$(A)$(B)", {"A": "1", "EMPTY": ""})


def test_plain_values_see_those_before_them() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}, {"name": "C", "value": "$(D)"}, {"name": "D"}]
    assert env_of(c("c", env=env)) == {"A": "1", "B": "12", "C": "$(D)", "D": ""}


def test_keys_of_config_maps_and_secrets() -> None:
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
        {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        {"name": "N", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "none", "optional": True}}},
    ]
    container = c("c", env=env)
    assert env_of(container) == {"A": "1", "P": "hunter2"}
    assert references(container) == {("configmaps", "cm"), ("secrets", "s"), ("secrets", "none")}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "a"}}, 'configmap "no" not found'),
        ({"configMapKeyRef": {"name": "cm", "key": "z"}}, "couldn't find key z in ConfigMap default/cm"),
        ({"secretKeyRef": {"name": "no", "key": "a"}}, 'secret "no" not found'),
        ({"secretKeyRef": {"name": "s", "key": "z"}}, "couldn't find key z in Secret default/s"),
        ({"fieldRef": {"fieldPath": "spec.nope"}}, "unsupported fieldPath: spec.nope"),
        ({"fileKeyRef": {"path": "x"}}, "environment source is not supported: fileKeyRef"),
    ],
)
def test_what_is_missing_is_said_in_kubelets_words(source: Object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        env_of(c("c", env=[{"name": "A", "valueFrom": source}]))
    assert str(caught.value) == message


def test_whole_objects_with_prefix_and_override() -> None:
    container = c(
        "c",
        envFrom=[{"prefix": "X_", "configMapRef": {"name": "cm"}}, {"secretRef": {"name": "no", "optional": True}}],
        env=[{"name": "X_a", "value": "mine"}],
    )
    result = env_of(container)
    assert (result["X_a"], result["X_b"]) == ("mine", "2")
    with pytest.raises(ConfigError, match='secret "no" not found'):
        env_of(c("c", envFrom=[{"secretRef": {"name": "no"}}]))


def test_keys_that_are_no_names_are_left_out_and_told() -> None:
    obj = pod(c("c", envFrom=[{"configMapRef": {"name": "odd"}}]))
    result = environment(obj, obj["spec"]["containers"][0], FACTS, [], lambda *_: {"data": {"a=b": "1", "ok": "2"}})
    assert result.variables == {"ok": "2"}
    assert result.skipped == (("Configmap default/odd", ("a=b",)),)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['note']", 'say "hi"'),
        ("metadata.labels", 'app="web"\ntier="1"'),
        ("metadata.annotations", 'note="say \\"hi\\""'),
        ("spec.nodeName", "n1"),
        ("status.hostIP", "192.0.2.1"),
        ("status.podIP", "10.0.0.5"),
        ("status.podIPs", "10.0.0.5"),
    ],
)
def test_fields(path: str, value: str) -> None:
    obj = pod()
    obj["metadata"].update(labels={"tier": "1", "app": "web"}, annotations={"note": 'say "hi"'})
    assert field_value(obj, path, FACTS) == value


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ({"resource": "limits.cpu"}, "1"),
        ({"resource": "limits.cpu", "divisor": "1m"}, "500"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "64"),
        ({"resource": "limits.memory", "containerName": "bare"}, str(4 * 2**30)),
        ({"resource": "requests.memory", "containerName": "bare"}, "0"),
    ],
)
def test_resource_fields(reference: Object, value: str) -> None:
    resources = {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}
    obj = pod(c("c", resources=resources), c("bare"))
    assert resource_value(obj, reference, "c", FACTS) == value
    with pytest.raises(FieldError):
        resource_value(obj, {"resource": "limits.cpu", "containerName": "none"}, "c", FACTS)


def test_who_needs_the_address() -> None:
    assert environment_needs_pod_ip(
        c("c", env=[{"name": "I", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}])
    )
    assert not environment_needs_pod_ip(c("c", env=[{"name": "I", "value": "status.podIP"}]))


def service(name: str, ip: str, *ports: Object, namespace: str = "default") -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}}


def test_variables_of_services() -> None:
    services = [
        service(
            "redis-main", "10.96.0.7", {"name": "db", "port": 6379, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}
        ),
        service("headless", "None", {"port": 1}),
        service("other", "10.96.0.9", {"port": 1}, namespace="elsewhere"),
        service("kubernetes", "10.96.0.1", {"name": "https", "port": 443}),
    ]
    assert service_variables(services, "default", True) == {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        "KUBERNETES_PORT": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
        "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
        "KUBERNETES_PORT_443_TCP_PORT": "443",
        "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
        "REDIS_MAIN_SERVICE_HOST": "10.96.0.7",
        "REDIS_MAIN_SERVICE_PORT": "6379",
        "REDIS_MAIN_SERVICE_PORT_DB": "6379",
        "REDIS_MAIN_PORT": "tcp://10.96.0.7:6379",
        "REDIS_MAIN_PORT_6379_TCP": "tcp://10.96.0.7:6379",
        "REDIS_MAIN_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_MAIN_PORT_6379_TCP_PORT": "6379",
        "REDIS_MAIN_PORT_6379_TCP_ADDR": "10.96.0.7",
        "REDIS_MAIN_PORT_53_UDP": "udp://10.96.0.7:53",
        "REDIS_MAIN_PORT_53_UDP_PROTO": "udp",
        "REDIS_MAIN_PORT_53_UDP_PORT": "53",
        "REDIS_MAIN_PORT_53_UDP_ADDR": "10.96.0.7",
    }
    without_links = service_variables(services, "default", False)
    assert "KUBERNETES_SERVICE_HOST" in without_links and "REDIS_MAIN_SERVICE_HOST" not in without_links
