"""The graph of owners: what a change makes worth looking at."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.meta import Object
from kubeactors.client.resource import Resource
from kubeactors.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph

THINGS = Resource("", "v1", "things", "Thing", namespaced=True)


def thing(
    uid: str, *owners: str, deleting: bool = False, finalizers: tuple[str, ...] = (), blocks: bool = True
) -> Object:
    references = [
        {"apiVersion": "v1", "kind": "Thing", "name": o, "uid": o, "blockOwnerDeletion": blocks} for o in owners
    ]
    meta: Object = {
        "name": uid,
        "namespace": "ns",
        "uid": uid,
        "ownerReferences": references,
        "finalizers": list(finalizers),
    }
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"apiVersion": "v1", "kind": "Thing", "metadata": meta}


def test_a_child_of_a_known_owner_is_left_alone() -> None:
    graph = Graph()
    assert not list(graph.put(thing("a"), THINGS))
    assert not list(graph.put(thing("b", "a"), THINGS))
    assert [d.uid for d in graph.dependents("a")] == ["b"]


def test_a_child_of_an_unknown_owner_is_looked_at() -> None:
    graph = Graph()
    assert list(graph.put(thing("b", "a"), THINGS)) == ["b"]
    assert set(graph.put(thing("a"), THINGS)) == {"b"}  # the owner turned up
    assert [d.uid for d in graph.dependents("a")] == ["b"]


def test_children_follow_a_deleted_owner() -> None:
    graph = Graph()
    for each in (thing("a"), thing("b", "a"), thing("c", "a")):
        graph.put(each, THINGS)
    assert set(graph.remove("a")) == {"b", "c"}
    assert not list(graph.remove("a"))


def test_foreground_deletion_looks_at_owner_and_children_and_at_the_owner_when_they_go() -> None:
    graph = Graph()
    for each in (thing("a"), thing("b", "a"), thing("c", "a", blocks=False)):
        graph.put(each, THINGS)
    ending = thing("a", deleting=True, finalizers=(FOREGROUND,))
    assert set(graph.put(ending, THINGS)) == {"a", "b", "c"}
    assert [d.uid for d in graph.blocking("a")] == ["b"]
    assert set(graph.remove("b")) == {"a"}
    assert graph.blocking("a") == []


def test_a_child_that_blocks_no_more_makes_the_owner_worth_a_look() -> None:
    graph = Graph()
    graph.put(thing("a"), THINGS)
    graph.put(thing("b", "a"), THINGS)
    graph.put(thing("a", deleting=True, finalizers=(FOREGROUND,)), THINGS)
    assert "a" in set(graph.put(thing("b", "a", blocks=False), THINGS))


def test_orphaning_looks_at_the_owner_once() -> None:
    graph = Graph()
    graph.put(thing("a"), THINGS)
    graph.put(thing("b", "a"), THINGS)
    ending = thing("a", deleting=True, finalizers=(ORPHAN,))
    assert list(graph.put(ending, THINGS)) == ["a"]
    assert not list(graph.put(ending, THINGS))
    graph.put(thing("b"), THINGS)
    assert graph.dependents("a") == []


@settings(max_examples=200, deadline=None)
@given(
    objects=st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdefx"), max_size=2), min_size=1),
    gone=st.sets(st.sampled_from("abcdef")),
    seed=st.integers(0, 1000),
)
def test_dependents_do_not_depend_on_the_order_of_events(
    objects: dict[str, set[str]], gone: set[str], seed: int
) -> None:
    chance = random.Random(seed)
    events: list[tuple[str, Any]] = [("put", uid) for uid in objects] * 2
    chance.shuffle(events)
    graph = Graph()
    for _, uid in events:
        graph.put(thing(uid, *sorted(objects[uid] - {uid})), THINGS)
    for uid in sorted(gone):
        graph.remove(uid)
    left = objects.keys() - gone
    for owner in "abcdefx":
        expected = {uid for uid in left if owner in objects[uid] and owner != uid}
        assert {d.uid for d in graph.dependents(owner)} == expected
