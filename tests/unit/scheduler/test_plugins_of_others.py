"""A plugin that somebody else has written, installed by entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from kubeactors.api.meta import Object
from kubeactors.scheduler import framework
from kubeactors.scheduler.columns import Columns, Rows, Scores
from kubeactors.scheduler.config import SchedulerConfig
from kubeactors.scheduler.framework import Event, Rejection
from kubeactors.scheduler.scheduler import Scheduler
from kubeactors.scheduler.shape import Shape
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.fake_kubelet import node_object


class Tenants:
    """Keeps pods with the annotation example.test/tenant on nodes with that label."""

    name = "Tenants"
    events = Event.NODE_ADDED | Event.NODE_LABELS
    changes_with_pods = False
    annotations = ("example.test/tenant",)

    def filter(self, shape: Shape, columns: Columns, rows: Rows) -> Sequence[Rejection]:
        tenant = dict(shape.extra).get("example.test/tenant")
        if tenant is None:
            return ()
        others = columns.label("tenant")[rows] != columns.label_code("tenant", tenant)
        return (Rejection(others, "node(s) belong to another tenant"),)


class Last:
    """Likes nodes the better the later they come."""

    name = "Last"
    events = Event(0)
    changes_with_pods = False
    weight = 100

    def score(self, shape: Shape, columns: Columns, rows: Rows) -> Scores | None:
        return np.asarray(rows, np.int64)

    def normalize(self, scores: Scores) -> Scores | None:
        return framework.default_normalize(scores, reverse=False)


def install(monkeypatch: pytest.MonkeyPatch, *classes: str) -> None:
    points = [EntryPoint(name, f"{__name__}:{name}", framework.ENTRY_POINT_GROUP) for name in classes]
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.name])
    monkeypatch.setattr(framework, "entry_points", lambda group: points if group == framework.ENTRY_POINT_GROUP else [])


def pod(name: str, **annotations: str) -> Object:
    meta = {"name": name, "annotations": {f"example.test/{k}": v for k, v in annotations.items()}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "m", "image": "x"}]}}


async def test_installed_plugins_filter_and_score(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "Tenants", "Last")
    api = FakeApi()
    for name, tenant in (("n1", "red"), ("n2", "blue"), ("n3", "blue")):
        made = node_object(name)
        made["metadata"]["labels"]["tenant"] = tenant
        api.seed(made)
    scheduler = Scheduler(api.client(), config=SchedulerConfig(leader_elect=False))
    await scheduler.start()
    try:
        api.seed(pod("a", tenant="red"), pod("b"), pod("c", tenant="green"))

        def node_of(name: str) -> str | None:
            found = api.get("pods", name)
            assert found is not None
            return found["spec"].get("nodeName")

        await eventually(lambda: node_of("a") == "n1" and node_of("b") == "n3")
        await eventually(
            lambda: api.objects("events") and any("another tenant" in e["message"] for e in api.objects("events"))
        )
        assert node_of("c") is None
    finally:
        await scheduler.stop()


def test_a_configuration_may_leave_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "Tenants")
    found = framework.third_party_plugins()
    assert [plugin.name for plugin in found] == ["Tenants"]
    assert framework.annotations_read(found) == ("example.test/tenant",)
    assert framework.choose_plugins(found, ("*", "-Tenants")) == []
