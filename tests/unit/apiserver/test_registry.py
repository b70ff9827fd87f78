"""create, update, patch: preconditions, no-op writes, dry runs, conflicts, on a store that tests control."""

import asyncio
import re

import orjson
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.request import JSON_PATCH, STRATEGIC_PATCH, YAML, Form, Options
from kubeactors.store.errors import StoreUnavailable
from tests.support.api_core import NOW, POD_SPEC, running_core
from tests.support.fake_store import FakeStore

DRY = Options(dry_run=("All",))
DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "a", "tier": "b"}},
        "template": {"metadata": {"labels": {"app": "a", "tier": "b"}}, "spec": POD_SPEC},
    },
}


@pytest.fixture
async def store() -> FakeStore:
    return FakeStore(revision=100)


async def test_create_fills_what_the_server_owns(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a", uid="chosen", creationTimestamp="2001-01-01T00:00:00Z", labels={"x": "y"})
        metadata = made["metadata"]
        assert made["kind"], made["apiVersion"] == ("ConfigMap", "v1")
        assert metadata["namespace"] == "ns"
        assert metadata["creationTimestamp"] == "2026-01-02T03:04:05Z" == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
        assert metadata["resourceVersion"] == str(store.current)
        assert await api.get("configmaps", "a", "ns") == made
        stored = store.value(b"/registry/configmaps/ns/a")
        assert stored is not None
        assert stored.startswith(b'{"metadata":{')
        assert "kind" not in orjson.loads(stored)


async def test_self_links_are_never_kept(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a", selfLink="/x")
        assert "selfLink" not in made["metadata"]
        linked = {**made, "metadata": {**made["metadata"], "selfLink": "/x"}}
        assert await api.update("configmaps", linked) == made


async def test_create_twice(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a", finalizers=["example.com/f"])
        with pytest.raises(StatusError, match=r'^configmaps "a" already exists$') as raised:
            await api.config_map("a")
        assert (raised.value.code, raised.value.reason) == (409, "AlreadyExists")
        await api.delete("configmaps", "a", "ns")
        with pytest.raises(StatusError, match=r"^object is being deleted: "):
            await api.config_map("a")


async def test_generated_names(store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["g-taken", "g-taken", "g-free"])
    monkeypatch.setattr("kubeactors.apiserver.registry.writes.generate_name", lambda prefix: next(names))
    async with running_core(store) as api:
        body = {"metadata": {"generateName": "g-"}, "data": {}}
        assert (await api.create("configmaps", body, "ns"))["metadata"]["name"] == "g-taken"
        again = await api.create("configmaps", body, "ns")
        assert again["metadata"]["name"] == "g-free"
        assert again["metadata"]["generateName"] == "g-"
        monkeypatch.setattr("kubeactors.apiserver.registry.writes.generate_name", lambda prefix: "g-free")
        with pytest.raises(StatusError, match="was not able to generate a unique name"):
            await api.create("configmaps", body, "ns")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{", 400, "the object provided is unrecognized"),
        (b"[]", 400, "the object provided is unrecognized"),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400, "the namespace of the provided object does not match"),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, 400, "does not match the expected API version"),
        ({"metadata": {"name": "A!"}}, 422, 'ConfigMap "A!" is invalid: metadata.name'),
        ({"metadata": {}}, 422, "name or generateName is required"),
        ({"metadata": {"name": "a"}, "data": {"k": 1}}, 400, "cannot be handled as a ConfigMap"),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, 500, "resourceVersion should not be set"),
    ],
)
async def test_bodies_that_are_refused(store: FakeStore, body: object, code: int, message: str) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError) as raised:
            await api.call("create", "configmaps", namespace="ns", body=body)
        assert raised.value.code == code
        assert message in raised.value.message
        assert store.keys(b"/registry/configmaps/") == []


async def test_unknown_fields_warn_or_are_refused(store: FakeStore) -> None:
    async with running_core(store) as api:
        body = {"metadata": {"name": "a"}, "dat": {}}
        response = await api.request("create", "configmaps", namespace="ns", body=body, options=DRY)
        assert response.warnings == ['unknown field "dat"']
        with pytest.raises(StatusError, match="strict decoding error: unknown field"):
            await api.request(
                "create", "configmaps", namespace="ns", body=body, options=Options(field_validation="Strict")
            )


async def test_yaml_bodies(store: FakeStore) -> None:
    async with running_core(store) as api:
        body = b"metadata: {name: a}\ndata: {k: 'v'}\n"
        made = await api.call("create", "configmaps", namespace="ns", body=body, content_type=YAML)
        assert made["data"] == {"k": "v"}
        with pytest.raises(StatusError) as raised:
            await api.call("create", "configmaps", namespace="ns", body=b"{}", content_type="text/plain")
        assert raised.value.code == 415


async def test_namespaces_must_exist_and_live(store: FakeStore) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError, match=r'^namespaces "zz" not found$'):
            await api.config_map("a", "zz")
        await api.delete("namespaces", "ns")
        with pytest.raises(StatusError) as raised:
            await api.config_map("a")
        assert raised.value.code == 403
        assert raised.value.message == (
            'configmaps "a" is forbidden: unable to create new content in namespace ns because it is being terminated'
        )
        assert raised.value.causes[0]["reason"] == "NamespaceTerminating"


async def test_update_checks_the_version_only_if_it_is_given(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a")
        changed = await api.update("configmaps", {"metadata": {"name": "a", "namespace": "ns"}, "data": {"k": "2"}})
        assert changed["data"] == {"k": "2"}
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        with pytest.raises(StatusError, match="the object has been modified") as raised:
            await api.update("configmaps", {**made, "data": {"k": "3"}})
        assert raised.value.reason == "Conflict"
        assert (await api.update("configmaps", {**changed, "data": {"k": "3"}}))["data"] == {"k": "3"}


async def test_update_of_what_is_missing_or_another(store: FakeStore) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError, match='configmaps "a" not found'):
            await api.update("configmaps", {"metadata": {"name": "a", "namespace": "ns"}})
        lease = {"metadata": {"name": "l", "namespace": "ns"}, "spec": {}}
        response = await api.request("update", "leases", namespace="ns", name="l", body=lease)
        assert response.status == 201, "leases are created by an update"
        lease["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"  # type: ignore[index]
        with pytest.raises(StatusError, match="Precondition failed: UID in precondition"):
            await api.update("leases", lease)
        with pytest.raises(StatusError, match="does not match the name on the URL"):
            await api.request("update", "leases", namespace="ns", name="other", body=lease)


async def test_a_patch_may_not_change_the_uid(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a")
        uid = made["metadata"]["uid"]
        patched = await api.patch("configmaps", "a", {"metadata": {"uid": uid}, "data": {"k": "2"}}, "ns")
        assert patched["data"] == {"k": "2"}
        with pytest.raises(StatusError) as raised:
            await api.patch("configmaps", "a", {"metadata": {"uid": "x"}}, "ns")
        assert (raised.value.code, raised.value.is_of_another) == (422, True)
        assert raised.value.message == (
            'ConfigMap "a" is invalid: metadata.uid: Invalid value: "x": field is immutable'
        )
        with pytest.raises(StatusError) as raised:
            await api.patch("configmaps", "a", {"metadata": {"labels": {"a": "?"}}}, "ns")
        assert not raised.value.is_of_another


async def test_strategic_patches_are_refused_in_the_converters_words(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.create("deployments", DEPLOYMENT, "ns")
        patch = {"spec": {"selector": {"matchLabels": "x"}}}
        with pytest.raises(StatusError, match="cannot restore map from string") as raised:
            await api.patch("deployments", "d", patch, "ns", content_type=STRATEGIC_PATCH)
        assert raised.value.code == 422
        strict = Options(field_validation="Strict")
        with pytest.raises(StatusError, match=r'"map\[zz:1\]": strict decoding error: unknown field "zz"'):
            await api.patch("deployments", "d", {"zz": 1}, "ns", content_type=STRATEGIC_PATCH, options=strict)


async def test_new_nodes_take_no_pods_before_they_are_ready(store: FakeStore) -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    mine = {"key": "a", "effect": "NoExecute"}
    async with running_core(store) as api:
        for name, given, wanted in (
            ("n1", None, [taint]),
            ("n2", [mine], [mine, taint]),
            ("n3", [taint], [taint]),
            ("n4", [{**taint, "effect": "NoExecute"}], [{**taint, "effect": "NoExecute"}, taint]),
        ):
            node = await api.create("nodes", {"metadata": {"name": name}, "spec": {"taints": given} if given else {}})
            assert node["spec"]["taints"] == wanted
        patched = await api.patch("nodes", "n1", {"spec": {"taints": None}})
        assert "taints" not in patched["spec"], "only new nodes get it"


async def test_writes_that_change_nothing_are_not_written(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a", labels={"x": "1", "y": "2"})
        revision = store.current
        reordered = {**made, "metadata": dict(reversed(made["metadata"].items()))}
        assert await api.update("configmaps", reordered) == made
        assert await api.patch("configmaps", "a", {"data": {"k": "v"}}, "ns") == made
        assert store.current == revision


async def test_concurrent_patches_all_count(store: FakeStore) -> None:
    async with running_core(store) as one, running_core(store) as other:
        await one.config_map("a")
        await asyncio.gather(
            *((one if n % 2 else other).patch("configmaps", "a", {"data": {f"k{n}": "v"}}, "ns") for n in range(20))
        )
        assert len((await one.get("configmaps", "a", "ns"))["data"]) == 21


async def test_a_stale_cache_neither_refuses_nor_loses_a_write(store: FakeStore) -> None:
    async with running_core(store) as api, running_core(store) as other:
        await api.config_map("a")
        await api.get("configmaps", "a", "ns")
        store.hold_watches = True
        fresh = await other.patch("configmaps", "a", {"data": {"k": "2"}}, "ns")
        # The cache still says k=v. A version check must be on the present state, so must a no-op.
        changed = await api.update("configmaps", {**fresh, "data": {"k": "3"}})
        assert changed["data"] == {"k": "3"}
        assert (await api.patch("configmaps", "a", {"data": {"k": "v"}}, "ns"))["data"] == {"k": "v"}
        store.release_watches()
        assert (await api.get("configmaps", "a", "ns"))["data"] == {"k": "v"}


async def test_dry_runs_leave_nothing_behind(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("b")
        revision = store.current
        made = await api.create("configmaps", {"metadata": {"name": "a"}}, "ns", options=DRY)
        assert "resourceVersion" not in made["metadata"]
        assert (await api.patch("configmaps", "b", {"data": {"z": "1"}}, "ns", options=DRY))["data"] == {
            "k": "v",
            "z": "1",
        }
        assert (await api.delete("configmaps", "b", "ns", dry_run=("All",)))["status"] == "Success"
        with pytest.raises(StatusError, match="already exists"):
            await api.create("configmaps", {"metadata": {"name": "b"}}, "ns", options=DRY)
        with pytest.raises(StatusError, match=r'dryRun: Unsupported value: \["Some"\]'):
            await api.create("configmaps", {"metadata": {"name": "a"}}, "ns", options=Options(dry_run=("Some",)))
        assert store.current == revision


async def test_patches_of_each_kind(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.create("deployments", DEPLOYMENT, "ns")
        strategic = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "new"}]}}}}
        made = await api.patch("deployments", "d", strategic, "ns", content_type=STRATEGIC_PATCH)
        assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "new"
        assert made["metadata"]["generation"] == 2
        operations = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
        assert (await api.patch("deployments", "d", operations, "ns", content_type=JSON_PATCH))["spec"]["replicas"] == 5
        with pytest.raises(StatusError) as raised:
            await api.patch("deployments", "d", {}, "ns", content_type="application/json")
        assert raised.value.code == 415
        with pytest.raises(StatusError, match=r'deployments.apps "zz" not found'):
            await api.patch("deployments", "zz", {}, "ns")
        with pytest.raises(StatusError, match="the object has been modified"):
            await api.patch("deployments", "d", {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 9}}, "ns")
        with pytest.raises(StatusError, match="does not match the name on the URL"):
            await api.patch("deployments", "d", {"metadata": {"name": "e"}}, "ns")


async def test_status_is_apart_from_the_rest(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.create("deployments", DEPLOYMENT, "ns")
        both = {"spec": {"replicas": 7}, "status": {"replicas": 3}}
        made = await api.patch("deployments", "d", both, "ns", subresource="status")
        assert (made["spec"]["replicas"], made["status"]["replicas"]) == (2, 3)
        made = await api.patch("deployments", "d", {"spec": {"replicas": 7}, "status": {"replicas": 9}}, "ns")
        assert (made["spec"]["replicas"], made["status"]["replicas"]) == (7, 3)


async def test_scale(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.create("deployments", DEPLOYMENT, "ns")
        where = {"namespace": "ns", "name": "d", "subresource": "scale"}
        scale = await api.call("get", "deployments", **where)
        assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
        assert scale["status"] == {"replicas": 0, "selector": "app=a,tier=b"}
        assert scale["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        scale["spec"]["replicas"] = 4
        assert (await api.call("update", "deployments", body=scale, **where))["spec"] == {"replicas": 4}
        with pytest.raises(StatusError, match="the object has been modified"):
            await api.call("update", "deployments", body=scale, **where)
        patched = await api.patch("deployments", "d", {"spec": {"replicas": 6}}, "ns", subresource="scale")
        assert patched["spec"] == {"replicas": 6}
        found = await api.get("deployments", "d", "ns")
        assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (6, 3)
        with pytest.raises(StatusError, match=r"Scale.autoscaling \"d\" is invalid: spec.replicas: Invalid value: -1"):
            await api.patch("deployments", "d", {"spec": {"replicas": -1}}, "ns", subresource="scale")


async def test_binding(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.pod("p")
        where = {"name": "p", "subresource": "binding"}
        binding = {"metadata": {"name": "p", "annotations": {"a": "b"}}, "target": {"kind": "Node", "name": "n1"}}
        response = await api.request("create", "pods", namespace="ns", body=binding, **where)
        assert (response.status, orjson.loads(response.body)["status"]) == (201, "Success")
        pod = await api.get("pods", "p", "ns")
        assert pod["spec"]["nodeName"] == "n1"
        assert pod["metadata"]["annotations"] == {"a": "b"}
        (condition,) = pod["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
        with pytest.raises(StatusError, match='pod p is already assigned to node "n1"') as raised:
            await api.create("pods", binding, "ns", **where)
        assert raised.value.code == 409
        with pytest.raises(StatusError, match=r"target.name: Required value"):
            await api.create("pods", {"metadata": {"name": "p"}, "target": {}}, "ns", **where)
        with pytest.raises(StatusError, match="name in URL does not match"):
            await api.create("pods", {**binding, "metadata": {"name": "q"}}, "ns", **where)


async def test_pods_get_tolerations_and_a_priority(store: FakeStore) -> None:
    async with running_core(store) as api:
        spec = (await api.pod("p"))["spec"]
        assert spec["priority"] == 0
        assert [(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]] == [
            ("node.kubernetes.io/not-ready", 300),
            ("node.kubernetes.io/unreachable", 300),
        ]
        mine = [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
        spec = (await api.pod("q", tolerations=mine))["spec"]
        assert [t["key"] for t in spec["tolerations"]][1:] == ["node.kubernetes.io/unreachable"]
        spec = (await api.pod("r", tolerations=[{"operator": "Exists"}]))["spec"]
        assert spec["tolerations"] == [{"operator": "Exists"}]
        with pytest.raises(StatusError, match=r"the string value of PreemptionPolicy \(Never\) must not be") as raised:
            await api.pod("t", preemptionPolicy="Never")
        assert raised.value.code == 403
        with pytest.raises(StatusError, match="no PriorityClass with name x was found"):
            await api.pod("t", priorityClassName="x")


async def test_pods_have_the_priority_of_their_class(store: FakeStore) -> None:
    async with running_core(store) as api:
        low = {"metadata": {"name": "low"}, "value": -5, "preemptionPolicy": "Never"}
        await api.create("priorityclasses", low)
        spec = (await api.pod("a", priorityClassName="low"))["spec"]
        assert (spec["priority"], spec["preemptionPolicy"]) == (-5, "Never")
        with pytest.raises(StatusError, match="computed -5 from the given PriorityClass name"):
            await api.pod("b", priorityClassName="low", priority=7)
        await api.create("priorityclasses", {"metadata": {"name": "usual"}, "value": 10, "globalDefault": True})
        await api.list("priorityclasses")  # the cache has it now
        spec = (await api.pod("b"))["spec"]
        assert (spec["priorityClassName"], spec["priority"]) == ("usual", 10)
        with pytest.raises(StatusError, match="PriorityClass usual is already marked as default") as raised:
            await api.create("priorityclasses", {"metadata": {"name": "other"}, "value": 1, "globalDefault": True})
        assert raised.value.code == 403
        await api.create("priorityclasses", {"metadata": {"name": "system-node-critical"}, "value": 2000001000})
        with pytest.raises(StatusError, match="this is a system priority class and cannot be deleted") as raised:
            await api.delete("priorityclasses", "system-node-critical")
        assert raised.value.code == 403


async def test_volumes_and_claims_are_kept_while_in_use(store: FakeStore) -> None:
    async with running_core(store) as api:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        made = await api.create("persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec}, "ns")
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
        spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
        made = await api.create("persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


async def test_the_components_are_what_the_store_and_the_leases_say(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.namespace("kube-system")
        spec = {"holderIdentity": "m", "leaseDurationSeconds": 15, "renewTime": "2026-01-02T03:04:00.000000Z"}
        await api.create("leases", {"metadata": {"name": "kube-scheduler"}, "spec": spec}, "kube-system")
        await api.list("leases", "kube-system")  # the cache has it now
        spec = {**spec, "renewTime": "2026-01-02T03:00:00.000000Z"}
        await api.create("leases", {"metadata": {"name": "kube-controller-manager"}, "spec": spec}, "kube-system")
        await api.list("leases", "kube-system")
        listed = (await api.list("componentstatuses"))["items"]
        assert [(each["metadata"]["name"], each["conditions"][0]["status"]) for each in listed] == [
            ("controller-manager", "False"),
            ("etcd-0", "True"),
            ("scheduler", "True"),
        ]
        assert "has not renewed its lease" in listed[0]["conditions"][0]["message"]
        assert (await api.get("componentstatuses", "etcd-0"))["conditions"][0]["message"] == "ok"
        with pytest.raises(StatusError, match="Component not found: x") as raised:
            await api.get("componentstatuses", "x")
        assert raised.value.code == 500


async def test_a_pod_is_bound_by_the_old_path(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.pod("p")
        await api.create("bindings", {"metadata": {"name": "p"}, "target": {"name": "n"}}, "ns")
        assert (await api.get("pods", "p", "ns"))["spec"]["nodeName"] == "n"
        with pytest.raises(StatusError) as raised:
            await api.create("bindings", {"metadata": {"name": "q"}, "target": {"name": "n"}}, "ns")
        assert raised.value.code == 404


async def test_an_object_without_namespace_loses_the_one_that_it_names(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.create("storageclasses", {"metadata": {"name": "s", "namespace": "n"}, "provisioner": "p"})
        assert "namespace" not in made["metadata"]


async def test_admin_access_to_devices_is_for_labelled_namespaces(store: FakeStore) -> None:
    async with running_core(store) as api:
        wanted = {"name": "r", "exactly": {"deviceClassName": "c", "adminAccess": True}}
        claim = {"metadata": {"name": "c"}, "spec": {"devices": {"requests": [wanted]}}}
        with pytest.raises(StatusError, match="admin access to devices requires the") as raised:
            await api.create("resourceclaims", claim, "ns")
        assert raised.value.code == 422
        label = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
        await api.patch("namespaces", "ns", label)
        await api.list("namespaces")  # the cache has it now
        await api.create("resourceclaims", claim, "ns")


async def test_pods_get_what_their_runtime_class_says(store: FakeStore) -> None:
    async with running_core(store) as api:
        scheduling = {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]}
        overhead = {"podFixed": {"cpu": "100m"}}
        made = {"metadata": {"name": "vm"}, "handler": "vm", "scheduling": scheduling, "overhead": overhead}
        await api.create("runtimeclasses", made)
        spec = (await api.pod("a", runtimeClassName="vm"))["spec"]
        assert spec["overhead"] == {"cpu": "100m"}
        assert spec["nodeSelector"] == {"vm": "yes"}
        assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]
        for wrong, message in (
            ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
            ({"runtimeClassName": "vm", "overhead": {"cpu": "1"}}, "Overhead doesn't match RuntimeClass"),
            ({"overhead": {"cpu": "1"}}, "Pod Overhead set without corresponding RuntimeClass"),
            ({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}}, "conflict: runtimeClass.scheduling"),
        ):
            with pytest.raises(StatusError, match=message) as raised:
                await api.pod("b", **wrong)
            assert raised.value.code == 403


async def test_claims_get_the_newest_default_class(store: FakeStore) -> None:
    async with running_core(store) as api:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        made = await api.create("persistentvolumeclaims", {"metadata": {"name": "a"}, "spec": spec}, "ns")
        assert "storageClassName" not in made["spec"]
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        for name in ("fast", "first"):
            marked = {"metadata": {"name": name, "annotations": default}, "provisioner": "p"}
            await api.create("storageclasses", marked)
        await api.list("storageclasses")  # the cache has them now
        made = await api.create("persistentvolumeclaims", {"metadata": {"name": "b"}, "spec": spec}, "ns")
        assert made["spec"]["storageClassName"] == "fast"
        chosen = {"metadata": {"name": "c"}, "spec": {**spec, "storageClassName": ""}}
        assert (await api.create("persistentvolumeclaims", chosen, "ns"))["spec"]["storageClassName"] == ""


async def test_an_event_is_read_and_written_in_two_groups(store: FakeStore) -> None:
    async with running_core(store) as api:
        new = "events.events.k8s.io"
        regarding = {"namespace": "ns", "kind": "Pod", "name": "p"}
        event = {"metadata": {"name": "e"}, "regarding": regarding, "eventTime": "2001-01-01T00:00:00.000000Z"}
        event |= {"reportingController": "x.io/c", "reportingInstance": "i", "action": "a", "reason": "r"}
        made = await api.create(new, {**event, "type": "Normal", "note": "text"}, "ns")
        assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "text")
        old = await api.get("events", "e", "ns")
        assert (old["apiVersion"], old["message"], old["involvedObject"]) == ("v1", "text", regarding)
        assert old["metadata"] == made["metadata"]
        watching = await api.watch(new, "ns", field_selector="regarding.name=p")
        first = await watching.next()
        assert (first["type"], first["object"]["regarding"]["name"]) == ("ADDED", "p")
        await api.patch("events", "e", {"count": 3}, "ns")
        assert (await watching.next())["object"]["deprecatedCount"] == 3
        await watching.close()
        (listed,) = (await api.list(new, "ns", field_selector="regarding.name=p"))["items"]
        assert listed["deprecatedCount"] == 3
        assert "message" not in listed
        assert (await api.list(new, "ns", field_selector="regarding.name=q"))["items"] == []
        assert (await api.delete(new, "e", "ns"))["status"] == "Success"
        assert await api.names("events", "ns") == []


async def test_events_expire(store: FakeStore) -> None:
    async with running_core(store, event_ttl=600) as api:
        for name in ("a", "b"):
            event = {"metadata": {"name": name}, "involvedObject": {"namespace": "ns", "kind": "Pod", "name": "p"}}
            await api.create("events", event, "ns")
        assert store.leases == 1, "events of one minute share a lease"
        assert all(store._live[key].lease for key in store.keys(b"/registry/events/"))
        await api.config_map("a")
        assert not store._live[b"/registry/configmaps/ns/a"].lease


async def test_a_write_of_unknown_outcome_is_told_apart(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.get("namespaces", "ns")
        store.fail_next(StoreUnavailable("cut off", outcome_unknown=True))
        with pytest.raises(StatusError, match="may have been applied") as raised:
            await api.config_map("a")
        assert raised.value.code == 504
        store.fail_next(StoreUnavailable("down", outcome_unknown=False))
        with pytest.raises(StatusError) as raised:
            await api.config_map("a")
        assert raised.value.code == 503


async def test_a_scale_in_other_forms(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.create("deployments", DEPLOYMENT, "ns")
        where = {"namespace": "ns", "name": "d", "subresource": "scale"}
        table = await api.call("get", "deployments", form=Form.TABLE, **where)
        assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
        assert table["rows"][0]["cells"] == ["d", 2, 0, "0s"]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        partial = await api.call("get", "deployments", form=Form.PARTIAL, **where)
        assert (partial["kind"], partial["metadata"]["name"]) == ("PartialObjectMetadata", "d")


async def test_other_forms_of_answers(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        table = await api.call("list", "configmaps", namespace="ns", form=Form.TABLE)
        assert table["kind"] == "Table"
        assert table["rows"][0]["cells"][0] == "a"
        partial = await api.call("get", "configmaps", namespace="ns", name="a", form=Form.PARTIAL)
        assert (partial["kind"], "data" in partial) == ("PartialObjectMetadata", False)
        listed = await api.call("list", "configmaps", namespace="ns", form=Form.PARTIAL)
        assert listed["kind"] == "PartialObjectMetadataList"
        response = await api.request("list", "configmaps", namespace="ns", items=True)
        assert response.items is not None
        assert orjson.loads(response.items.items[0])["kind"] == "ConfigMap"


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ({"field_selector": "data.k=v"}, "is not a known field selector"),
        ({"label_selector": "a b"}, "unable to parse requirement"),
        ({"resource_version": "x"}, "invalid resource version"),
        ({"continue_": "x"}, "invalid continue token"),
        ({"resource_version_match": "Exact"}, "forbidden unless resourceVersion is provided"),
        ({"send_initial_events": True}, "sendInitialEvents is forbidden for list"),
    ],
)
async def test_lists_that_are_refused(store: FakeStore, selector: dict[str, object], message: str) -> None:
    async with running_core(store) as api:
        with pytest.raises(StatusError, match=message):
            await api.list("configmaps", "ns", **selector)
