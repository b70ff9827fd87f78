"""The account and the token's volume that every pod is given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_core(FakeStore(), disabled_plugins=()) as running:
        await running.create("serviceaccounts", {"metadata": {"name": "default"}}, "ns")
        yield running


async def _account(api: Api, name: str, **fields: Any) -> None:
    annotations = fields.pop("annotations", {})
    await api.create("serviceaccounts", {"metadata": {"name": name, "annotations": annotations}, **fields}, "ns")


async def test_the_default_account_and_its_token(api: Api) -> None:
    init = {"name": "i", "image": "example/i:1"}
    spec = (await api.pod("p", initContainers=[init]))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == len("kube-api-access-") + 5
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    assert volume["projected"] == {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 420,
    }
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["volumeMounts"] == [{"name": volume["name"], "readOnly": True, "mountPath": PATH}]


@pytest.mark.parametrize(
    ("pod", "account", "mounted"),
    [(None, None, True), (None, False, False), (True, False, True), (False, None, False), (False, True, False)],
)
async def test_who_wants_no_token(api: Api, pod: bool | None, account: bool | None, mounted: bool) -> None:
    await _account(api, "robot", **({} if account is None else {"automountServiceAccountToken": account}))
    spec = (
        await api.pod(
            "p",
            serviceAccountName="robot",
            **({} if pod is None else {"automountServiceAccountToken": pod}),
        )
    )["spec"]
    assert bool(spec.get("volumes")) == mounted


async def test_a_mount_of_ones_own_is_left_alone(api: Api) -> None:
    own = {"name": "mine", "mountPath": PATH}
    containers = [
        {"name": "a", "image": "example/a:1", "volumeMounts": [own]},
        {"name": "b", "image": "example/b:1"},
    ]
    volumes = [{"name": "mine", "emptyDir": {}}]
    spec = (await api.pod("p", containers=containers, volumes=volumes))["spec"]
    assert spec["containers"][0]["volumeMounts"] == [own]
    assert len(spec["containers"][1]["volumeMounts"]) == 1
    assert len(spec["volumes"]) == 2
    spec = (await api.pod("q", containers=containers[:1], volumes=volumes))["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["mine"]
    named = [{"name": "kube-api-access-x", "emptyDir": {}}]
    spec = (await api.pod("r", volumes=named))["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["kube-api-access-x"]
    assert spec["containers"][0]["volumeMounts"][0]["name"] == "kube-api-access-x"


async def test_the_accounts_pull_secrets(api: Api) -> None:
    await _account(api, "robot", imagePullSecrets=[{"name": "s"}])
    assert (await api.pod("p", serviceAccountName="robot"))["spec"]["imagePullSecrets"] == [{"name": "s"}]
    own = [{"name": "own"}]
    spec = (await api.pod("q", serviceAccountName="robot", imagePullSecrets=own))["spec"]
    assert spec["imagePullSecrets"] == own


async def test_a_missing_account(api: Api) -> None:
    with pytest.raises(StatusError) as caught:
        await api.pod("p", serviceAccountName="zz")
    assert caught.value.code == 403
    assert caught.value.message == (
        'pods "p" is forbidden: error looking up service account ns/zz: serviceaccount "zz" not found'
    )
    with pytest.raises(StatusError, match='pods "gen-" is forbidden: error looking up'):
        body = {"metadata": {"generateName": "gen-"}, "spec": {"containers": [], "serviceAccountName": "zz"}}
        await api.create("pods", body, "ns")


async def test_a_new_namespaces_account_is_waited_for(api: Api) -> None:
    await api.namespace("fresh")
    pod = asyncio.create_task(api.pod("p", "fresh"))
    done, _ = await asyncio.wait({pod}, timeout=0.05)
    assert not done
    await api.create("serviceaccounts", {"metadata": {"name": "default"}}, "fresh")
    assert (await pod)["spec"]["serviceAccountName"] == "default"


async def test_updates_add_nothing(api: Api) -> None:
    pod = await api.pod("p", automountServiceAccountToken=False)
    pod["metadata"]["labels"] = {"a": "b"}
    assert "volumes" not in (await api.update("pods", pod))["spec"]
    pod["spec"]["serviceAccountName"] = "else"
    with pytest.raises(StatusError) as caught:
        await api.update("pods", {**pod, "metadata": {"name": "p", "namespace": "ns"}})
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"serviceAccountName": "default"}, "a mirror pod may not reference service accounts"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
        ({}, ""),
    ],
)
async def test_mirror_pods(api: Api, spec: Object, message: str) -> None:
    metadata = {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}}
    containers = [{"name": "c", "image": "example/c:1"}]
    body = {"metadata": metadata, "spec": {"containers": containers, "nodeName": "n", **spec}}
    if not message:
        made = await api.create("pods", body, "ns")
        assert "serviceAccountName" not in made["spec"] and "volumes" not in made["spec"]
        return
    with pytest.raises(StatusError) as caught:
        await api.create("pods", body, "ns")
    assert (caught.value.code, caught.value.message) == (403, f'pods "m" is forbidden: {message}')


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]},
            'volume with secret.secretName="other" is not allowed because service account limited does not reference',
        ),
        (
            {
                "containers": [
                    {
                        "name": "c",
                        "image": "example/c:1",
                        "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}],
                    }
                ]
            },
            'container c with envVar E referencing secret.secretName="other" is not allowed because service account',
        ),
        (
            {"imagePullSecrets": [{"name": "other"}]},
            'imagePullSecrets[0].name="other" is not allowed because service account limited does not reference',
        ),
        ({"volumes": [{"name": "v", "secret": {"secretName": "mine"}}]}, ""),
    ],
)
async def test_an_account_that_limits_secrets(api: Api, spec: Object, message: str) -> None:
    enforce = {"kubernetes.io/enforce-mountable-secrets": "true"}
    await _account(api, "limited", annotations=enforce, secrets=[{"name": "mine"}])
    if not message:
        await api.pod("p", serviceAccountName="limited", **spec)
        return
    with pytest.raises(StatusError) as caught:
        await api.pod("p", serviceAccountName="limited", **spec)
    assert caught.value.code == 403
    assert message in caught.value.message


async def test_an_unknown_plugin_cannot_be_disabled() -> None:
    with pytest.raises(ValueError, match="no admission plugins: Nothing"):
        async with running_core(FakeStore(), disabled_plugins=("Nothing",)):
            raise AssertionError("it must not start")
