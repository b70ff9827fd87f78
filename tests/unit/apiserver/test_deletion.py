"""Grace periods, finalizers, propagation, preconditions, namespaces and collections."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.apiserver.options import DeleteOptions
from kubeactors.apiserver.registry.deletion import Action, decide, deleted_by_update
from kubeactors.apiserver.request import Form, Options
from tests.support.api_core import running_core
from tests.support.fake_store import FakeStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PODS, CONFIG_MAPS = registry.lookup("pods"), registry.lookup("configmaps")


@pytest.fixture
async def store() -> FakeStore:
    return FakeStore(revision=100)


def pod(node: str = "n", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "generation": 1, **metadata},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 30},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("given", "asked", "action", "period"),
    [
        (pod(), None, Action.WRITE, 30),
        (pod(), 50, Action.WRITE, 50),
        (pod(), 0, Action.WRITE_THEN_DELETE, 0),
        (pod(), -5, Action.WRITE, 1),
        (pod(node=""), 50, Action.WRITE_THEN_DELETE, 0),
        (pod(phase="Succeeded"), None, Action.WRITE_THEN_DELETE, 0),
        (pod(finalizers=["f"]), 0, Action.WRITE, 0),
    ],
)
def test_grace_of_a_pod(given: dict[str, Any], asked: int | None, action: Action, period: int) -> None:
    decision = decide(PODS, given, DeleteOptions(grace_period_seconds=asked), NOW)
    metadata = decision.obj["metadata"]
    assert (decision.action, metadata["deletionGracePeriodSeconds"]) == (action, period)
    assert metadata["generation"] == 2
    assert metadata["deletionTimestamp"] == f"2026-01-02T03:04:{5 + period:02}Z" if period < 55 else True


@pytest.mark.parametrize(("asked", "action"), [(40, Action.NOTHING), (None, Action.NOTHING), (20, Action.WRITE)])
def test_grace_can_only_be_shortened(asked: int | None, action: Action) -> None:
    dying = pod(deletionTimestamp="2026-01-02T03:04:30Z", deletionGracePeriodSeconds=30)
    decision = decide(PODS, dying, DeleteOptions(grace_period_seconds=asked), NOW)
    assert decision.action is action
    if action is Action.WRITE:
        assert decision.obj["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:20Z", "counted from the first delete"


def test_a_delete_that_stopped_half_way_is_finished() -> None:
    dying = pod(deletionTimestamp="2026-01-02T03:04:00Z", deletionGracePeriodSeconds=0)
    assert decide(PODS, dying, DeleteOptions(), NOW).action is Action.DELETE


@pytest.mark.parametrize(
    ("options", "present", "finalizers"),
    [
        (DeleteOptions(), [], []),
        (DeleteOptions(propagation_policy="Background"), [], []),
        (DeleteOptions(propagation_policy="Foreground"), [], ["foregroundDeletion"]),
        (DeleteOptions(propagation_policy="Orphan"), ["x/y"], ["x/y", "orphan"]),
        (DeleteOptions(orphan_dependents=True), [], ["orphan"]),
        (DeleteOptions(orphan_dependents=False), ["orphan"], []),
        (DeleteOptions(), ["foregroundDeletion"], ["foregroundDeletion"]),
        (DeleteOptions(propagation_policy="Background"), ["foregroundDeletion"], []),
    ],
)
def test_propagation_becomes_finalizers(options: DeleteOptions, present: list[str], finalizers: list[str]) -> None:
    obj: dict[str, Any] = {"metadata": {"name": "a", "finalizers": list(present)}}
    decision = decide(CONFIG_MAPS, obj, options, NOW)
    assert decision.action is (Action.WRITE if finalizers else Action.DELETE)
    if finalizers:
        metadata = decision.obj["metadata"]
        assert metadata["finalizers"] == finalizers
        assert (metadata["deletionGracePeriodSeconds"], bool(metadata["deletionTimestamp"])) == (0, True)


def test_an_update_that_takes_the_last_finalizer_ends_the_object() -> None:
    old = {"metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0, "finalizers": ["f"]}}
    assert deleted_by_update(CONFIG_MAPS, {"metadata": {}}, old)
    assert not deleted_by_update(CONFIG_MAPS, {"metadata": {"finalizers": ["g"]}}, old)
    assert not deleted_by_update(CONFIG_MAPS, {"metadata": {}}, {"metadata": {"finalizers": ["f"]}})
    graceful = {"metadata": {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}}
    assert not deleted_by_update(PODS, {"metadata": {}}, graceful), "its node agent ends it"
    assert not deleted_by_update(registry.lookup("namespaces"), {"metadata": {}, "spec": {"finalizers": ["k"]}}, old)


async def test_deleting_answers_with_a_status_or_the_object(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a")
        assert await api.delete("configmaps", "a", "ns") == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
        }
        await api.create("serviceaccounts", {"metadata": {"name": "s"}}, "ns")
        gone = await api.delete("serviceaccounts", "s", "ns")
        assert gone["kind"] == "ServiceAccount"
        assert gone["metadata"]["resourceVersion"] == str(store.current), "the version of the deletion"
        with pytest.raises(StatusError) as raised:
            await api.delete("configmaps", "a", "ns")
        assert raised.value.code == 404


async def test_finalizers_hold_an_object(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.config_map("a", finalizers=["example.com/f"])
        watch = await api.watch("configmaps", "ns")
        await watch.next()
        held = await api.delete("configmaps", "a", "ns")
        assert held["metadata"]["deletionTimestamp"]
        revision = store.current
        assert await api.delete("configmaps", "a", "ns") == held, "a second delete changes nothing"
        assert store.current == revision
        gone = await api.patch("configmaps", "a", {"metadata": {"finalizers": None}}, "ns")
        assert "finalizers" not in gone["metadata"]
        with pytest.raises(StatusError, match="not found"):
            await api.get("configmaps", "a", "ns")
        modified, deleted = await watch.next(), await watch.next()
        assert (modified["type"], deleted["type"]) == ("MODIFIED", "DELETED")
        assert deleted["object"]["metadata"]["finalizers"] == ["example.com/f"], "the last state that was stored"


async def test_pods_end_in_two_steps(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.pod("p", nodeName="n")
        watch = await api.watch("pods", "ns")
        await watch.next()
        dying = await api.delete("pods", "p", "ns")
        assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
        assert (await api.delete("pods", "p", "ns", grace_period_seconds=0))["kind"] == "Pod"
        events = [await watch.next() for _ in range(3)]
        graces = [(e["type"], e["object"]["metadata"]["deletionGracePeriodSeconds"]) for e in events]
        assert graces == [("MODIFIED", 30), ("MODIFIED", 0), ("DELETED", 0)]
        assert store.keys(b"/registry/pods/") == []


async def test_preconditions(store: FakeStore) -> None:
    async with running_core(store) as api:
        made = await api.config_map("a")
        body: dict[str, Any] = {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}
        with pytest.raises(StatusError, match="the UID in the precondition") as raised:
            await api.delete("configmaps", "a", "ns", body=body)
        assert (raised.value.code, raised.value.details["kind"]) == (409, "ConfigMap")
        with pytest.raises(StatusError, match=r"the ResourceVersion in the precondition \(1\)"):
            await api.delete("configmaps", "a", "ns", body={"preconditions": {"resourceVersion": "1"}})
        metadata = made["metadata"]
        body = {"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
        assert (await api.delete("configmaps", "a", "ns", body=body))["status"] == "Success"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", 400),
        ({"kind": "Pod"}, 400),
        ({"gracePeriodSeconds": "x"}, 400),
        ({"propagationPolicy": "Sideways"}, 422),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422),
        ({"dryRun": ["Some"]}, 422),
    ],
)
async def test_delete_options_that_are_refused(store: FakeStore, body: Any, code: int) -> None:
    async with running_core(store) as api:
        await api.config_map("a")
        with pytest.raises(StatusError) as raised:
            await api.delete("configmaps", "a", "ns", body=body)
        assert raised.value.code == code
        assert await api.names("configmaps", "ns") == ["a"]


async def test_collections(store: FakeStore) -> None:
    async with running_core(store) as api:
        await api.namespace("other")
        for name, group in (("a", "1"), ("b", "1"), ("c", "2")):
            await api.config_map(name, labels={"g": group})
        await api.config_map("d", "other", labels={"g": "1"})
        request = {"namespace": "ns", "options": Options(label_selector="g=1")}
        found = await api.call("deletecollection", "configmaps", body={"dryRun": ["All"]}, **request)
        assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b"]
        found = await api.call("deletecollection", "configmaps", body={"dryRun": ["All"]}, form=Form.TABLE, **request)
        assert [row["cells"][0] for row in found["rows"]] == ["a", "b"]
        found = await api.call("deletecollection", "configmaps", **request)
        assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b"]
        assert await api.names("configmaps") == ["c", "d"]
        with pytest.raises(StatusError, match="is not a known field selector"):
            await api.call("deletecollection", "configmaps", options=Options(field_selector="zz=a"))


async def test_a_namespace_ends_when_it_is_empty(store: FakeStore) -> None:
    async with running_core(store) as api:
        dying = await api.delete("namespaces", "ns")
        assert dying["status"]["phase"] == "Terminating"
        assert dying["spec"]["finalizers"] == ["kubernetes"]
        assert await api.delete("namespaces", "ns") == dying
        done = {"metadata": {"name": "ns"}, "spec": {"finalizers": []}}
        await api.call("update", "namespaces", name="ns", body=done, subresource="finalize")
        with pytest.raises(StatusError, match="not found"):
            await api.get("namespaces", "ns")


async def test_protected_namespaces_stay(store: FakeStore) -> None:
    async with running_core(store, namespace="default") as api:
        with pytest.raises(StatusError, match="this namespace may not be deleted") as raised:
            await api.delete("namespaces", "default")
        assert raised.value.code == 403
