"""ConfigMaps, Secrets and fields of the pod as files: their contents, modes and owners, and how they follow changes."""

import asyncio
import base64
import hashlib
from typing import Any

import pytest

from kubeactors.api.meta import Object
from tests.support.live_node import LiveNode
from tests.support.node_machine import container

pytestmark = pytest.mark.asyncio(loop_scope="package")

#: How containers show a file: its mode, then what is in it.
SHOW = 'show() { for f in "$@"; do echo "$f $(stat -L -c %a $f) $(cat $f)"; done; }; '


WATCH = 'while true; do echo "$(cat /v/k 2>&1)"; sleep 0.1; done'


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def mounts(*names: str) -> list[Object]:
    """Each volume on a directory of its name."""
    return [{"name": name, "mountPath": f"/{name}"} for name in names]


def volumes(**sources: Object) -> list[Object]:
    return [{"name": name, **source} for name, source in sources.items()]


def projected(*sources: Object, **fields: Any) -> Object:
    return {"projected": {"sources": list(sources), **fields}}


ITEM = [{"key": "data-2", "path": "path/to/data-2"}]
GUARDED_ITEM = [{**ITEM[0], "mode": 0o400}]


def of_config_map() -> list[Object]:
    reference = {"name": "files"}
    return volumes(
        plain={"configMap": reference},
        again={"configMap": reference},
        guarded={"configMap": {**reference, "defaultMode": 0o400}},
        mapped={"configMap": {**reference, "items": ITEM}},
        own={"configMap": {**reference, "items": GUARDED_ITEM}},
    )


def of_secret() -> list[Object]:
    reference = {"secretName": "files"}
    return volumes(
        plain={"secret": reference},
        again={"secret": reference},
        guarded={"secret": {**reference, "defaultMode": 0o400}},
        mapped={"secret": {**reference, "items": ITEM}},
        own={"secret": {**reference, "items": GUARDED_ITEM}},
    )


def projections(kind: str) -> list[Object]:
    reference = {"name": "files"}
    return volumes(
        plain=projected({kind: reference}),
        again=projected({kind: reference}),
        guarded=projected({kind: reference}, defaultMode=0o400),
        mapped=projected({kind: {**reference, "items": ITEM}}),
        own=projected({kind: {**reference, "items": GUARDED_ITEM}}),
    )


SOURCES = {
    "config-map": of_config_map(),
    "secret": of_secret(),
    "projected-config-map": projections("configMap"),
    "projected-secret": projections("secret"),
}


async def test_keys_as_files(node: LiveNode) -> None:
    data = {"data-1": "value-1", "data-2": "value-2"}
    await node.client.create("configmaps", {"metadata": {"name": "files"}, "data": data}, "default")
    secret = {"metadata": {"name": "files"}, "data": {key: encoded(value) for key, value in data.items()}}
    await node.client.create("secrets", secret, "default")
    # A secret of the same name elsewhere is another's.
    await node.client.create("namespaces", {"metadata": {"name": "other"}})
    other = {"metadata": {"name": "files"}, "data": {"data-1": encoded("not this one")}}
    await node.client.create("secrets", other, "other")
    script = SHOW + "ls /plain /mapped; show /plain/data-1 /again/data-1 /mapped/path/to/data-2"
    as_root = script + " /guarded/data-1 /own/path/to/data-2"
    where = mounts("plain", "again", "guarded", "mapped", "own")
    for name, source in SOURCES.items():
        await node.start_pod(
            f"{name}-root", container("c", as_root, volumeMounts=where), volumes=source, restartPolicy="Never"
        )
        await node.start_pod(
            f"{name}-user",
            container("c", script + "; id -u; cat /guarded/data-1", volumeMounts=where),
            volumes=source,
            restartPolicy="Never",
            securityContext={"runAsUser": 1000},
        )
    listing = ["/mapped:", "path", "", "/plain:", "data-1", "data-2"]
    seen = [
        "/plain/data-1 644 value-1",
        "/again/data-1 644 value-1",
        "/mapped/path/to/data-2 644 value-2",
    ]
    guarded = ["/guarded/data-1 400 value-1", "/own/path/to/data-2 400 value-2"]
    for name in SOURCES:
        assert (await node.output(f"{name}-root")).splitlines() == [*listing, *seen, *guarded], name
        lines = (await node.output(f"{name}-user")).splitlines()
        assert lines == [*listing, *seen, "1000", "cat: can't open '/guarded/data-1': Permission denied"], name


async def test_the_group_of_files(node: LiveNode) -> None:
    await node.client.create("secrets", {"metadata": {"name": "group"}, "data": {"k": encoded("v")}}, "default")
    source = {"secretName": "group", "defaultMode": 0o440}
    script = SHOW + "show /s/k /p/k; stat -L -c %g /s/k /p/k; id -G"
    await node.start_pod(
        "group",
        container("c", script, volumeMounts=mounts("s", "p")),
        volumes=volumes(s={"secret": source}, p=projected({"secret": {"name": "group"}}, defaultMode=0o440)),
        restartPolicy="Never",
        securityContext={"runAsUser": 1000, "fsGroup": 1001},
    )
    lines = (await node.output("group")).splitlines()
    assert lines[:4] == ["/s/k 440 v", "/p/k 440 v", "1001", "1001"]
    assert "1001" in lines[4].split()


async def test_binary_data(node: LiveNode) -> None:
    raw = bytes(range(256)) * 4
    config_map = {
        "metadata": {"name": "binary"},
        "data": {"text": "plain"},
        "binaryData": {"dump": base64.b64encode(raw).decode()},
    }
    await node.client.create("configmaps", config_map, "default")
    await node.start_pod(
        "binary",
        container("c", "cat /c/text; echo; md5sum < /c/dump; wc -c < /c/dump", volumeMounts=mounts("c")),
        volumes=volumes(c={"configMap": {"name": "binary"}}),
        restartPolicy="Never",
    )
    assert (await node.output("binary")).split() == ["plain", hashlib.md5(raw).hexdigest(), "-", str(len(raw))]


@pytest.mark.parametrize("kind", ["configMap", "secret", "projected-configMap", "projected-secret"])
async def test_optional_sources_come_change_and_go(node: LiveNode, kind: str) -> None:
    resource = "configmaps" if kind.endswith("configMap") else "secrets"
    word = kind.removeprefix("projected-")

    def volume(name: str) -> Object:
        field = "secretName" if kind == "secret" else "name"
        reference = {field: name, "optional": True}
        return projected({word: reference}) if kind.startswith("projected-") else {word: reference}

    async def write(name: str, value: str) -> None:
        text = encoded(value) if resource == "secrets" else value
        await node.client.create(resource, {"metadata": {"name": name}, "data": {"k": text}}, "default")

    prefix = f"{kind.lower()}-optional"
    await write(f"{prefix}-goes", "old")
    await write(f"{prefix}-changes", "old")
    names = ("goes", "changes", "comes")
    await node.run_pod(
        prefix,
        *(container(n, WATCH, volumeMounts=[{"name": n, "mountPath": "/v"}]) for n in names),
        volumes=volumes(**{n: volume(f"{prefix}-{n}") for n in names}),
    )
    missing = "cat: can't open '/v/k': No such file or directory"

    async def shows(name: str, end: str) -> None:
        await node.until(lambda: node.log_text(prefix, name).endswith(f"{end}\n"), f"{name} shows {end!r}", timeout=30)

    await asyncio.gather(shows("goes", "old"), shows("changes", "old"), shows("comes", missing))
    value = encoded("new") if resource == "secrets" else "new"
    await node.client.delete(resource, f"{prefix}-goes", "default")
    await node.client.patch(resource, f"{prefix}-changes", {"data": {"k": value}}, "default")
    await write(f"{prefix}-comes", "new")
    await asyncio.gather(shows("goes", missing), shows("changes", "new"), shows("comes", "new"))


async def test_everything_in_one_directory(node: LiveNode) -> None:
    await node.client.create("configmaps", {"metadata": {"name": "all"}, "data": {"from-map": "map"}}, "default")
    secret = {"metadata": {"name": "all"}, "data": {"from-secret": encoded("secret")}}
    await node.client.create("secrets", secret, "default")
    fields = [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]
    for path in ("limits.cpu", "requests.cpu", "limits.memory", "requests.memory"):
        fields.append({"path": path, "resourceFieldRef": {"containerName": "c", "resource": path, "divisor": "1"}})
    source = projected({"configMap": {"name": "all"}}, {"secret": {"name": "all"}}, {"downwardAPI": {"items": fields}})
    resources = {"limits": {"cpu": "1250m", "memory": "64Mi"}, "requests": {"cpu": "250m", "memory": "32Mi"}}
    script = SHOW + "cd /all; show *"
    await node.start_pod(
        "all",
        container("c", script, volumeMounts=mounts("all"), resources=resources),
        volumes=volumes(all=source),
        restartPolicy="Never",
    )
    assert (await node.output("all")).splitlines() == [
        "from-map 644 map",
        "from-secret 644 secret",
        "limits.cpu 644 2",
        f"limits.memory 644 {64 * 2**20}",
        "name 644 all",
        "requests.cpu 644 1",
        f"requests.memory 644 {32 * 2**20}",
    ]


async def test_volumes_of_files_do_not_conflict(node: LiveNode) -> None:
    names = [f"many-{number}" for number in range(50)]
    await node.client.create("secrets", {"metadata": {"name": "many"}, "data": {"k": encoded("s")}}, "default")
    await asyncio.gather(
        *(node.client.create("configmaps", {"metadata": {"name": n}, "data": {"k": n}}, "default") for n in names)
    )
    sources = {name: {"configMap": {"name": name}} for name in names}
    where = mounts("secret", *names)
    pods = [f"many-{number}" for number in range(5)]
    for pod in pods:
        await node.start_pod(
            pod,
            container("c", "cat /secret/k; echo; for d in /many-*; do cat $d/k; echo; done", volumeMounts=where),
            volumes=volumes(secret={"secret": {"secretName": "many"}}, **sources),
            restartPolicy="Never",
        )
    for pod in pods:
        assert (await node.output(pod)).split() == ["s", *sorted(names)]


async def test_single_files_of_a_config_map(node: LiveNode) -> None:
    data = {"one": "first", "two": "second"}
    await node.client.create("configmaps", {"metadata": {"name": "single"}, "data": data}, "default")
    await node.client.create("secrets", {"metadata": {"name": "single"}, "data": {"one": encoded("hush")}}, "default")
    where = [
        {"name": "c", "mountPath": "/single", "subPath": "one"},
        {"name": "c", "mountPath": "/etc/passwd", "subPath": "two"},  # a file that the image has
        {"name": "s", "mountPath": "/secret", "subPath": "one"},
        {"name": "p", "mountPath": "/both", "subPath": "two"},
        {"name": "d", "mountPath": "/name", "subPath": "deep/name"},
    ]
    name = {"path": "deep/name", "fieldRef": {"fieldPath": "metadata.name"}}
    await node.start_pod(
        "single",
        container("c", "for f in /single /etc/passwd /secret /both /name; do cat $f; echo; done", volumeMounts=where),
        volumes=volumes(
            c={"configMap": {"name": "single"}},
            s={"secret": {"secretName": "single"}},
            p=projected({"configMap": {"name": "single"}}),
            d={"downwardAPI": {"items": [name]}},
        ),
        restartPolicy="Never",
    )
    assert (await node.output("single")).split() == ["first", "second", "hush", "second", "single"]
