"""Watches: starting again where one ended, and what a selector hides."""

from __future__ import annotations

import pytest
from kubernetes.client import CoreV1Api

from tests.conformance.clients import watch_until
from tests.conformance.registry import behaviour

OURS = {"label_selector": "ours"}  # for each namespace gets a ConfigMap with the cluster's authority


def _config_map(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": {"ours": "", **labels}}, "data": {"mutation": "0"}}


@behaviour(
    "[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch"
)
def test_a_watch_continues_where_another_ended(core: CoreV1Api, namespace: str) -> None:
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, _config_map("a"))
    core.patch_namespaced_config_map("a", namespace, {"data": {"mutation": "1"}})
    first = watch_until(
        core.list_namespaced_config_map, namespace, since=start, until=lambda kind, _: kind == "MODIFIED", **OURS
    )
    core.patch_namespaced_config_map("a", namespace, {"data": {"mutation": "2"}})
    core.delete_namespaced_config_map("a", namespace)
    rest = watch_until(
        core.list_namespaced_config_map,
        namespace,
        since=first[-1][1].metadata.resource_version,
        until=lambda kind, _: kind == "DELETED",
        **OURS,
    )
    assert [(kind, obj.data["mutation"]) for kind, obj in first + rest] == [
        ("ADDED", "0"),
        ("MODIFIED", "1"),
        ("MODIFIED", "2"),
        ("DELETED", "2"),
    ]


@behaviour(
    "[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector"
)
def test_an_object_that_leaves_the_selector_is_deleted_for_the_watcher(core: CoreV1Api, namespace: str) -> None:
    start = core.list_namespaced_config_map(namespace).metadata.resource_version

    def change(label: str, mutation: str) -> None:
        core.patch_namespaced_config_map(
            "a", namespace, {"metadata": {"labels": {"watch": label}}, "data": {"mutation": mutation}}
        )

    core.create_namespaced_config_map(namespace, _config_map("a", watch="this"))
    change("this", "1")
    change("other", "2")
    change("other", "3")
    change("this", "4")
    change("this", "5")
    core.delete_namespaced_config_map("a", namespace)
    seen = watch_until(
        core.list_namespaced_config_map,
        namespace,
        since=start,
        label_selector="watch=this",
        until=lambda kind, obj: kind == "DELETED" and obj.data["mutation"] == "5",
    )
    assert [(kind, obj.data["mutation"]) for kind, obj in seen] == [
        ("ADDED", "0"),
        ("MODIFIED", "1"),
        ("DELETED", "1"),  # with the content that the selector last matched
        ("ADDED", "4"),
        ("MODIFIED", "5"),
        ("DELETED", "5"),
    ]


def test_watches_agree_on_the_order(core: CoreV1Api, namespace: str) -> None:
    """Watchers should receive events on concurrent watches in same order."""
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    for n in range(10):
        core.create_namespaced_config_map(namespace, _config_map(f"a{n}"))
        core.patch_namespaced_config_map(f"a{n}", namespace, {"data": {"mutation": "1"}})
    core.create_namespaced_config_map(namespace, _config_map("last"))
    everything = watch_until(
        core.list_namespaced_config_map,
        namespace,
        since=start,
        until=lambda _, obj: obj.metadata.name == "last",
        **OURS,
    )
    versions = [obj.metadata.resource_version for _, obj in everything]
    assert versions == sorted(versions, key=int)
    assert len(versions) == 21
    for n, begin in enumerate(versions[:-1]):
        seen = watch_until(
            core.list_namespaced_config_map,
            namespace,
            since=begin,
            until=lambda _, obj: obj.metadata.name == "last",
            **OURS,
        )
        assert [obj.metadata.resource_version for _, obj in seen] == versions[n + 1 :]


@pytest.mark.parametrize("allow", [True, False])
def test_bookmarks_only_for_who_asks(core: CoreV1Api, namespace: str, allow: bool) -> None:
    core.create_namespaced_config_map(namespace, _config_map("a"))
    options = {"send_initial_events": True, "resource_version_match": "NotOlderThan"} if allow else {}
    seen = watch_until(
        core.list_namespaced_config_map,
        namespace,
        since="",
        until=lambda kind, obj: (
            kind == "BOOKMARK" if allow else getattr(obj, "metadata", obj).name == "a" and kind == "ADDED"
        ),
        allow_watch_bookmarks=allow,
        **options,
    )
    assert [kind for kind, _ in seen if kind == "BOOKMARK"] == ["BOOKMARK"] * allow
    assert "a" in [obj.metadata.name for kind, obj in seen if kind == "ADDED"]
