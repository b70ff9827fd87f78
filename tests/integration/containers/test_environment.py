"""Environment, commands, names and files that every container has."""

import base64
from pathlib import Path

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import IMAGE, container, status_of

pytestmark = pytest.mark.asyncio(loop_scope="package")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def waiting(pod: Object) -> Object:
    return (status_of(pod)["state"].get("waiting")) or {}


async def test_variables_from_config_maps_and_secrets(node: LiveNode) -> None:
    data = {"data_1": "value-1", "data-2": "value-2", "data.3": "value-3"}
    await node.client.create("configmaps", {"metadata": {"name": "vars"}, "data": data}, "default")
    secret = {"metadata": {"name": "vars"}, "data": {"data_1": encoded("hush"), "2nd": encoded("two")}}
    await node.client.create("secrets", secret, "default")
    prefixes = ["p_", "123", "#@!$%", "a b", "-x-"]
    sources: list[Object] = [{"configMapRef": {"name": "vars"}, "prefix": prefix} for prefix in prefixes]
    sources += [{"secretRef": {"name": "vars"}}, {"configMapRef": {"name": "absent", "optional": True}}]
    env = [
        {"name": "ONE", "valueFrom": {"secretKeyRef": {"name": "vars", "key": "data_1"}}},
        {"name": "TWO", "valueFrom": {"configMapKeyRef": {"name": "vars", "key": "data-2"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "vars", "key": "absent", "optional": True}}},
    ]
    # Without a shell, which would hide names that it could not expand.
    plain = {**container("c", env=env, envFrom=sources), "command": ["env"]}
    await node.start_pod("vars", plain, restartPolicy="Never")
    lines = (await node.output("vars")).splitlines()
    for prefix in prefixes:
        for key, value in data.items():
            assert f"{prefix}{key}={value}" in lines
    for line in ("data_1=hush", "2nd=two", "ONE=hush", "TWO=value-2"):
        assert line in lines
    assert not [line for line in lines if line.startswith("NONE=")]


async def test_references_in_variables_commands_and_arguments(node: LiveNode) -> None:
    env = [
        {"name": "FOO", "value": "foo-value"},
        {"name": "BAR", "value": "bar-value"},
        {"name": "FOOBAR", "value": "$(FOO);;$(BAR)"},
        {"name": "LITERAL", "value": "$$(FOO) $(UNKNOWN)"},
    ]
    whole = {
        "name": "whole",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": env,
        "command": ["sh", "-c", 'echo "$(FOOBAR)" "$LITERAL" "$0"'],
        "args": ["$(FOO)-arg"],
    }
    await node.start_pod("references", whole, restartPolicy="Never")
    assert await node.output("references") == "foo-value;;bar-value $(FOO) $(UNKNOWN) foo-value-arg\n"


async def test_commands_and_arguments_of_the_image(node: LiveNode) -> None:
    image = node.import_greeter()
    command, args = {"command": ["echo", "other", "entrypoint"]}, {"args": ["other", "arguments"]}
    combinations = {"neither": {}, "command": command, "args": args, "both": {**command, **args}}
    containers = [
        {"name": name, "image": image, "imagePullPolicy": "Never", **fields} for name, fields in combinations.items()
    ]
    await node.start_pod("greetings", *containers, restartPolicy="Never")
    assert await node.outputs("greetings") == {
        "neither": "entrypoint of the image, arguments of the image\n",
        "command": "other entrypoint\n",
        "args": "entrypoint of the image, other arguments\n",
        "both": "other entrypoint other arguments\n",
    }


async def test_subpaths_by_variables(node: LiveNode) -> None:
    def pod_with(value: str, expression: str = "$(WHERE)") -> Object:
        mount = {"name": "v", "mountPath": "/v", "subPathExpr": expression}
        return container("c", "sleep 1000", env=[{"name": "WHERE", "value": value}], volumeMounts=[mount])

    volumes = [{"name": "v", "emptyDir": {}}]
    wrong = {"absolute": ("/tmp", "$(WHERE)"), "out": ("..", "$(WHERE)"), "unknown": ("x", "$(OTHER)")}
    for name, (value, expression) in wrong.items():
        await node.start_pod(f"subpath-{name}", pod_with(value, expression), volumes=volumes)
    for name in wrong:
        pod = await node.when(f"subpath-{name}", lambda p: waiting(p).get("message"))
        assert waiting(pod)["reason"] == "CreateContainerConfigError", name
    assert waiting(pod)["message"] == "missing value for OTHER"


async def test_a_subpath_whose_variable_comes_later(node: LiveNode) -> None:
    env = [{"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['where']"}}}]
    mount = {"name": "v", "mountPath": "/v", "subPathExpr": "$(WHERE)"}
    await node.start_pod(
        "later",
        container("c", "exec sleep 1000", env=env, volumeMounts=[mount]),
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    pod = await node.when("later", lambda p: waiting(p).get("reason") == "CreateContainerConfigError")
    assert waiting(pod)["message"] == "missing value for WHERE"
    await node.client.patch("pods", "later", {"metadata": {"annotations": {"where": "here"}}}, "default")
    pod = await node.when("later", lambda p: status_of(p)["state"].get("running"))
    volume = next((node.root / "pods" / pod["metadata"]["uid"]).glob("volumes/*empty-dir/v"))
    assert [entry.name for entry in volume.iterdir()] == ["here"]


async def test_who_manages_the_hosts_file(node: LiveNode) -> None:
    own = {"volumeMounts": [{"name": "host", "mountPath": "/etc/hosts"}]}
    volumes = [{"name": "host", "hostPath": {"path": "/etc/hosts", "type": "File"}}]
    script = "cat /etc/hosts"
    both = (container("managed", script), container("own", script, **own))
    await node.start_pod("hosts", *both, volumes=volumes, restartPolicy="Never")
    await node.start_pod("hosts-host", *both, volumes=volumes, restartPolicy="Never", hostNetwork=True)
    texts = await node.outputs("hosts")
    assert texts["managed"].startswith("# Kubernetes-managed hosts file.\n")
    present = Path("/etc/hosts").read_text().splitlines()
    assert texts["own"].splitlines() == present
    texts = await node.outputs("hosts-host")
    assert "# Kubernetes-managed hosts file." not in texts["managed"]
    assert texts["own"].splitlines() == present


@pytest.mark.parametrize(
    ("fields", "hostname", "entry"),
    [
        ({"hostname": "given"}, "given", "given"),
        ({"hostname": "given", "subdomain": "sub"}, "given", "given.sub.default.svc.cluster.local\tgiven"),
        (
            {"hostname": "given", "subdomain": "sub", "setHostnameAsFQDN": True},
            "given.sub.default.svc.cluster.local",
            "given.sub.default.svc.cluster.local\tgiven",
        ),
    ],
    ids=["hostname", "subdomain", "as-fqdn"],
)
async def test_names(node: LiveNode, fields: Object, hostname: str, entry: str, request: pytest.FixtureRequest) -> None:
    name = f"names-{request.node.callspec.id}"
    script = "cat /etc/hostname /proc/sys/kernel/hostname; echo $HOSTNAME; tail -1 /etc/hosts"
    await node.start_pod(name, container("c", script), restartPolicy="Never", **fields)
    lines = (await node.output(name)).splitlines()
    assert lines[:3] == [hostname] * 3
    assert lines[3].partition("\t")[2] == entry


async def test_a_domain_name_that_is_too_long_for_a_hostname(node: LiveNode) -> None:
    name = "a-name-that-is-much-too-long-to-be-a-hostname-with-domain"
    await node.start_pod(name, subdomain="sub", setHostnameAsFQDN=True)
    text = "failed to construct FQDN from pod hostname and cluster domain, FQDN "

    async def told() -> bool:
        events = await node.client.list("events", "default", field_selector=f"involvedObject.name={name}")
        return any(e["reason"] == "FailedCreatePodSandBox" and text in e["message"] for e in events.items)

    await node.eventually(told, "it is told")
