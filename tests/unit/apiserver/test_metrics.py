"""The text of metrics, and what the store's client and the caches tell."""

import pytest

from kubeactors.apiserver.metrics.families import Counter, Gauge, Histogram, exponential, exposition
from kubeactors.apiserver.metrics.store import StoreMetrics
from tests.support.api_core import running_core
from tests.support.fake_store import FakeStore


def test_the_text_of_a_histogram() -> None:
    family = Histogram("h", "How long\nand wide", ("b", "a"), (1, 2.5), stability="STABLE")
    child = family.child("x", 'q"\\\n')
    for value in (0.5, 1, 2, 100):
        child.observe(value)
    assert exposition([family]) == (
        "# HELP h [STABLE] How long\\nand wide\n"
        "# TYPE h histogram\n"
        'h_bucket{a="q\\"\\\\\\n",b="x",le="1"} 2\n'
        'h_bucket{a="q\\"\\\\\\n",b="x",le="2.5"} 3\n'
        'h_bucket{a="q\\"\\\\\\n",b="x",le="+Inf"} 4\n'
        'h_sum{a="q\\"\\\\\\n",b="x"} 103.5\n'
        'h_count{a="q\\"\\\\\\n",b="x"} 4\n'
    )


def test_families_are_sorted_and_silent_before_anything_was_counted() -> None:
    one, two, silent = Counter("z_total", "z"), Gauge("a", "a", ("l",)), Gauge("b", "b", ("l",))
    one.child().value += 2
    two.child("v").value = -1.5
    text = exposition([one, silent, two])
    assert [line for line in text.splitlines() if not line.startswith("#")] == ['a{l="v"} -1.5', "z_total 2"]
    with pytest.raises(ValueError, match="has the labels"):
        two.child("v", "w")
    assert exponential(1000, 10, 3) == (1000, 10000, 100000)


def test_requests_to_the_store_are_of_the_resource_of_their_key() -> None:
    metrics = StoreMetrics()
    metrics.add_resource("/registry/pods/", "", "pods")
    metrics.add_resource("/registry/services/specs/", "", "services")
    metrics.observe("get", b"/registry/pods/ns/a", 0.001)
    metrics.observe("update", b"/registry/services/specs/ns/a", 0.3)
    metrics.failed("get", b"/registry/nowhere/a")
    text = exposition(metrics.families())
    assert 'etcd_request_duration_seconds_bucket{group="",operation="get",resource="pods",le="0.005"} 1\n' in text
    assert 'etcd_request_duration_seconds_sum{group="",operation="update",resource="services"} 0.3\n' in text
    assert 'etcd_request_errors_total{group="",operation="get",resource="other"} 1\n' in text


async def test_what_the_core_tells() -> None:
    async with running_core(FakeStore()) as api:
        watches = [await api.watch("configmaps", "ns", resource_version="0") for _ in range(3)]
        await api.config_map("a")
        for watch in watches:
            assert await watch.names(1) == [("ADDED", "a")]
        await api.delete("configmaps", "a", "ns")
        for watch in watches:
            assert await watch.names(1) == [("DELETED", "a")]
        text = exposition(api.core.metrics())
        assert 'apiserver_watch_events_total{group="",resource="configmaps",version="v1"} 6\n' in text
        assert 'apiserver_storage_objects{resource="configmaps"} 0\n' in text
        assert 'apiserver_resource_objects{group="",resource="namespaces"} 1\n' in text
        assert 'apiserver_watch_cache_events_received_total{group="",resource="configmaps"} 2\n' in text
        assert 'etcd_requests_total{group="",operation="delete",resource="configmaps"} 1\n' in text
