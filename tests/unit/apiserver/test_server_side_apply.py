"""Apply requests against the whole core: statuses, versions, subresources, and the managers of other writes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.request import APPLY_PATCH, Options, Response
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

CONFIG: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def apply(
    api: Api, applied: Object | bytes, manager: str = "one", resource: str = "configmaps", name: str = "a", **more: Any
) -> tuple[int, Object]:
    options = Options(field_manager=manager, **more.pop("options", {}))
    response: Response = await api.request(
        "patch",
        resource,
        namespace=more.pop("namespace", "ns"),
        name=name,
        body=applied,
        content_type=APPLY_PATCH,
        options=options,
        **more,
    )
    return response.status, orjson.loads(response.body)


def managers(obj: Object) -> list[tuple[str, str, str]]:
    entries = obj["metadata"].get("managedFields") or ()
    return [(entry["manager"], entry["operation"], entry.get("subresource", "")) for entry in entries]


async def test_an_apply_creates_then_changes_then_leaves_alone(store: FakeStore) -> None:
    async with running_core(store) as api:
        status, made = await apply(api, CONFIG)
        assert (status, managers(made)) == (201, [("one", "Apply", "")])
        status, again = await apply(api, CONFIG)
        assert (status, again) == (200, made)
        status, changed = await apply(api, b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {z: '1'}\n")
        assert (status, changed["data"]) == (200, {"z": "1"})
        assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        assert await api.get("configmaps", "a", "ns") == changed


async def test_a_dry_run_stores_nothing(store: FakeStore) -> None:
    async with running_core(store) as api:
        status, made = await apply(api, CONFIG, options={"dry_run": ("All",)})
        assert (status, managers(made)) == (201, [("one", "Apply", "")])
        with pytest.raises(StatusError, match="not found"):
            await api.get("configmaps", "a", "ns")


@pytest.mark.parametrize(
    ("applied", "code", "message"),
    [
        (
            b"[1]",
            400,
            "error decoding YAML: error unmarshaling JSON: while decoding",
        ),
        (b"{", 400, "error decoding YAML: "),
        (b"", 400, "invalid object type: /, Kind="),
        ({**CONFIG, "metadata": {}}, 400, "the name of the object (a based on URL) was undeterminable"),
        (
            {**CONFIG, "metadata": {"name": "b"}},
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        ({**CONFIG, "metadata": {"name": "a", "namespace": "other"}}, 400, "the namespace of the provided object does"),
        (
            {**CONFIG, "metadata": {"name": "a", "uid": "7"}},
            409,
            "uid mismatch: the provided object specified uid 7, and no existing object was found",
        ),
        ({**CONFIG, "immutable": 3}, 500, ".immutable: expected boolean, got &{3}"),
        (
            {**CONFIG, "binaryData": {"x": "?"}},
            500,
            "failed to convert new object (/a; /v1, Kind=ConfigMap) to proper version: illegal base64 data",
        ),
        ({**CONFIG, "data": {"..": "1"}}, 422, "data[..]"),
    ],
)
async def test_what_is_refused(store: FakeStore, applied: Any, code: int, message: str) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError) as refused:
            await apply(api, applied)
        assert refused.value.code == code
        assert message in refused.value.message


async def test_an_existing_object_keeps_its_identity(store: FakeStore) -> None:
    async with running_core(store) as api:
        _, made = await apply(api, CONFIG)
        with pytest.raises(StatusError) as frozen:
            await apply(api, {**CONFIG, "metadata": {"name": "a", "uid": "7"}})
        assert (frozen.value.code, frozen.value.causes[0]["field"]) == (422, "metadata.uid")
        with pytest.raises(StatusError, match="the object has been modified"):
            await apply(api, {**CONFIG, "metadata": {"name": "a", "resourceVersion": "1"}})
        status, _ = await apply(api, {**CONFIG, "metadata": {"name": "a", "uid": made["metadata"]["uid"]}})
        assert status == 200
        # What it holds already needs no name.
        status, _ = await apply(api, {**CONFIG, "metadata": {}})
        assert status == 200


async def test_a_manager_is_required(store: FakeStore) -> None:
    async with running_core(store) as api:
        for resource, name, subresource in (("configmaps", "a", ""), ("deployments", "d", "scale")):
            with pytest.raises(StatusError) as refused:
                await apply(api, b"{", "", resource, name, subresource=subresource)
            assert refused.value.message == (
                'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            )


async def test_repeated_keys_are_warned_of_or_refused(store: FakeStore) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '1'\n  x: '2'\n"
    async with running_core(store) as api:

        async def ask(validation: str) -> Response:
            options = Options(field_manager="m", field_validation=validation)
            return await api.request(
                "patch", "configmaps", namespace="ns", name="a", body=body, content_type=APPLY_PATCH, options=options
            )

        with pytest.raises(StatusError) as refused:
            await ask("Strict")
        assert (refused.value.code, refused.value.message) == (
            400,
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
            '  line 6: key "x" already set in map',
        )
        assert (await ask("Warn")).warnings == ['line 6: key "x" already set in map']
        assert (await ask("Ignore")).warnings == []


async def test_subresources_create_nothing(store: FakeStore) -> None:
    async with running_core(store) as api:
        for subresource in ("status", "scale"):
            with pytest.raises(StatusError, match=r'deployments.apps "d" not found'):
                await apply(api, DEPLOYMENT, "one", "deployments", "d", subresource=subresource)


async def test_writes_are_named_by_manager_or_user_agent(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.create("configmaps", CONFIG, "ns", user_agent="tool/v1 (linux)")
        assert managers(made) == [("tool", "Update", "")]
        new = {**CONFIG, "data": {"x": "1", "y": "1"}}
        changed = await api.call(
            "update", "configmaps", namespace="ns", name="a", body=new, options=Options(field_manager="editor")
        )
        assert sorted(managers(changed)) == [("editor", "Update", ""), ("tool", "Update", "")]
        patched = await api.patch("configmaps", "a", {"data": {"z": "1"}}, "ns")
        assert ("unknown", "Update", "") in managers(patched)
        same = await api.patch("configmaps", "a", {"data": {"z": "1"}}, "ns")
        assert same == patched


async def test_status_has_managers_of_its_own(store: FakeStore) -> None:
    async with running_core(store) as api:
        await apply(api, DEPLOYMENT, "one", "deployments", "d")
        status = {**DEPLOYMENT, "spec": {"replicas": 9}, "status": {"replicas": 1}}
        _, made = await apply(api, status, "two", "deployments", "d", subresource="status")
        assert made["spec"]["replicas"] == 2
        assert managers(made) == [("one", "Apply", ""), ("two", "Apply", "status")]
        assert made["metadata"]["managedFields"][1]["fieldsV1"] == {"f:status": {"f:replicas": {}}}
        # Through the main resource nobody owns the status, and what it says of it is not heard.
        _, made = await apply(api, {**DEPLOYMENT, "status": {"replicas": 5}}, "one", "deployments", "d")
        assert made["status"]["replicas"] == 1
        assert managers(made) == [("one", "Apply", ""), ("two", "Apply", "status")]


async def test_replicas_are_the_scales_too(store: FakeStore) -> None:
    scale: Object = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "d"},
        "spec": {"replicas": 3},
    }
    async with running_core(store) as api:
        await apply(api, DEPLOYMENT, "one", "deployments", "d")
        with pytest.raises(StatusError) as conflict:
            await apply(api, scale, "scaler", "deployments", "d", subresource="scale")
        assert conflict.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
        status, made = await apply(
            api, scale, "scaler", "deployments", "d", subresource="scale", options={"force": True}
        )
        assert (status, made["spec"]) == (200, {"replicas": 3})
        assert "managedFields" not in made["metadata"]
        found = await api.get("deployments", "d", "ns")
        assert sorted(managers(found)) == [("one", "Apply", ""), ("scaler", "Apply", "scale")]
        with pytest.raises(StatusError, match=r'conflict with "scaler" with subresource "scale": .spec.replicas'):
            await apply(api, DEPLOYMENT, "one", "deployments", "d")
        # The owner gives up the field, and an updater of the scale takes it.
        less = {**DEPLOYMENT, "spec": {name: item for name, item in DEPLOYMENT["spec"].items() if name != "replicas"}}
        await apply(api, less, "one", "deployments", "d")
        options = Options(field_manager="hpa")
        await api.call(
            "patch",
            "deployments",
            namespace="ns",
            name="d",
            subresource="scale",
            body={"spec": {"replicas": 4}},
            content_type="application/merge-patch+json",
            options=options,
        )
        found = await api.get("deployments", "d", "ns")
        assert found["spec"]["replicas"] == 4
        assert sorted(managers(found)) == [("hpa", "Update", "scale"), ("one", "Apply", "")]


async def test_other_writes_of_a_pod_leave_its_managers_alone(store: FakeStore) -> None:
    async with running_core(store) as api:
        before = await api.pod("p")
        binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
        await api.create("pods", binding, "ns", name="p", subresource="binding")
        found = await api.get("pods", "p", "ns")
        assert found["spec"]["nodeName"] == "n1"
        assert found["metadata"]["managedFields"] == before["metadata"]["managedFields"]
