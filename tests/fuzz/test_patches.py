"""Patches that are malformed, that grow, and that no client of any sort would send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fuzz import hostile
from tests.fuzz.bodies import Bodies
from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.documents import Documents
from tests.fuzz.effort import attempt
from tests.fuzz.plane import Plane
from tests.fuzz.samples import sample

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/patched"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/patched"
WIDGET = f"/apis/fuzz.example.com/v1/namespaces/{NAMESPACE}/widgets/patched"
_KINDS = {
    MAP: ("v1", "configmaps", "ConfigMap"),
    DEPLOYMENT: ("apps/v1", "deployments", "Deployment"),
    WIDGET: ("fuzz.example.com/v1", "widgets", "Widget"),
}


@pytest.fixture(autouse=True)
def objects(client: Client) -> None:
    """The three objects that are patched, as they were."""
    for path, (group_version, plural, kind) in _KINDS.items():
        body = sample(group_version, plural, "patched", NAMESPACE)
        assert body is not None
        client.request("DELETE", path)
        check(client.json("POST", path.rpartition("/")[0], {**body, "apiVersion": group_version, "kind": kind}))


def _copies(path: str) -> list[dict[str, Any]]:
    """A patch that doubles what is below the path with each operation."""
    first = {"op": "add", "path": path, "value": {"x": "a" * 1000}}
    return [first, *({"op": "copy", "from": path, "path": f"{path}/y{i}"} for i in range(100))]


_TEST = {"op": "test", "path": "/data/a", "value": "b"}
_DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
JSON_PATCHES: dict[str, tuple[str, Any, int]] = {
    "copies of copies": (WIDGET, _copies("/spec/any"), 422),
    "copies of copies below nothing": (MAP, _copies("/data"), 422),
    "many copies": (
        MAP,
        [
            {"op": "add", "path": "/data/x", "value": "a" * 1_000_000},
            *({"op": "copy", "from": "/data/x", "path": f"/data/y{i}"} for i in range(1000)),
        ],
        422,
    ),
    "too many operations": (MAP, [_TEST] * 10_001, 413),
    "as many operations as may be": (MAP, [_TEST] * 10_000, 200),
    "many insertions": (WIDGET, [{"op": "add", "path": "/spec/list/0", "value": "b"}] * 10_000, 200),
    "steps into the depth": (
        WIDGET,
        [{"op": "add", "path": "/spec/any" + "/a" * i, "value": {}} for i in range(1, 1400)],
        422,
    ),
    "a deep value": (WIDGET, b'[{"op":"add","path":"/spec/any","value":' + _DEEP + b"}]", 400),
    "a deep path": (MAP, [{"op": "add", "path": "/a" * 500_000, "value": 1}], 422),
    "an object": (MAP, {}, 400),
    "text": (MAP, "x", 400),
    "null": (MAP, None, 200),
    "numbers": (MAP, [5], 400),
    "nulls": (MAP, [None], 422),
    "empty operations": (MAP, [{}], 422),
    "no path": (MAP, [{"op": "add", "value": "x"}], 422),
    "a path that is a number": (MAP, [{"op": "add", "path": 5}], 400),
    "an operation that is a number": (MAP, [{"op": 5, "path": "/data"}], 400),
    "all of it is a number": (MAP, [{"op": "add", "path": "", "value": 5}], 422),
    "all of it is gone": (MAP, [{"op": "remove", "path": ""}], 422),
    "into itself": (MAP, [{"op": "move", "from": "/data", "path": "/data/x"}], 422),
    "all of it into itself": (MAP, [{"op": "move", "from": "", "path": "/data/x"}], 422),
    "another type": (MAP, [{"op": "replace", "path": "/apiVersion", "value": 5}], 422),
    "no metadata": (MAP, [{"op": "remove", "path": "/metadata"}], 400),
    "metadata that are text": (MAP, [{"op": "replace", "path": "/metadata", "value": "x"}], 422),
    "a data that is a number": (MAP, [{"op": "add", "path": "/data", "value": 5}], 422),
    "an index beyond measure": (
        DEPLOYMENT,
        [{"op": "remove", "path": "/spec/template/spec/containers/" + "9" * 9_000}],
        422,
    ),
    "half a document": (MAP, b'[{"op":"add"', 400),
    "nothing": (MAP, b"", 400),
    "no UTF-8": (MAP, b'[{"op":"add","path":"/data/x","value":"\xff"}]', 400),
}


@pytest.mark.parametrize("name", JSON_PATCHES)
def test_json_patches(plane: Plane, client: Client, name: str) -> None:
    path, patch, status = JSON_PATCHES[name]
    body = patch if isinstance(patch, bytes) else json.dumps(patch).encode()
    assert len(body) < 3_000_000
    before, began = plane.resident(), plane.worked()
    answer = check(client.request("PATCH", path, body, content_type=JSON_PATCH), name)
    assert answer.status == status, answer
    assert plane.worked() - began < 3.0
    assert plane.resident() - before < 60 * 2**20, "what the patch makes is not bounded"


_CONTAINERS = {"spec": {"template": {"spec": {"containers": None}}}}


def _containers(value: Any, **beside: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": value, **beside}}}}


STRATEGIC_PATCHES: tuple[Any, ...] = (
    None, 5, "x", [], [{}], {"$patch": 5}, {"$patch": "x"}, {"$patch": None}, {"$patch": ["delete"]},
    {"$patch": "delete"},
    {"$patch": "replace"}, {"$retainKeys": 5}, {"$retainKeys": ["x"]}, {"spec": {"$retainKeys": [5]}},
    {"spec": {"$retainKeys": None}}, {"spec": {"$patch": "delete"}}, {"spec": {"$patch": "merge"}}, {"spec": {"$x": 1}},
    _containers([{"$patch": "delete"}]), _containers([{"$patch": "replace"}]),
    _containers([{"$patch": 5, "name": "c"}]),
    _containers([{"name": None}]), _containers([{"name": 5}]), _containers([{"name": {}}]), _containers([None]),
    _containers([[]]), _containers(["c"]), _containers({}), _containers("c"),
    _containers([{"$patch": "delete", "name": 5}]),
    _containers([{"name": "c"}], **{"$setElementOrder/containers": 5}),
    _containers([{"name": "c"}], **{"$setElementOrder/containers": [5]}),
    _containers([{"name": "c"}], **{"$setElementOrder/containers": [{"name": "z"}]}),
    _containers([{"name": "c"}], **{"$setElementOrder/containers": [{}]}),
    _containers([{"name": "c"}], **{"$setElementOrder/containers": [None]}),
    _containers([{"name": "c"}], **{"$setElementOrder/": []}),
    _containers([], **{"$setElementOrder/none": [{"name": "c"}]}),
    _containers([], **{"$deleteFromPrimitiveList/containers": ["c"]}),
    _containers([], **{"$deleteFromPrimitiveList/x": 5}),
    {"metadata": {"$deleteFromPrimitiveList/finalizers": {}}},
    {"metadata": {"$deleteFromPrimitiveList/finalizers": [None]}},
    {"metadata": {"$setElementOrder/finalizers": [{}]}, }, {"metadata": {"finalizers": [5]}},
    {"metadata": {"finalizers": [{"$patch": "delete"}]}}, {"metadata": {"$patch": "replace"}},
    {"metadata": {"ownerReferences": [{"uid": None}]}}, {"spec": None}, {"spec": []}, {"metadata": None},
    {"kind": None},
    {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
    {"spec": {"strategy": {"$retainKeys": {"a": 1}, "type": "Recreate"}}},
    {"status": {"conditions": [{"type": "x"}, {"type": "x"}]}},
)  # fmt: skip


@pytest.mark.parametrize("kind", [STRATEGIC, MERGE])
def test_merge_patches(client: Client, kind: str) -> None:
    for patch in STRATEGIC_PATCHES:
        check(client.json("PATCH", DEPLOYMENT + "?dryRun=All", patch, content_type=kind), patch)
    for body in (b"", b"{", _DEEP, b'{"spec":' + _DEEP + b"}", b"\xff", b'{"a":1}{"b":2}'):
        assert check(client.request("PATCH", DEPLOYMENT, body, content_type=kind), body[:50]).status in (400, 422)
    # A strategic merge patch is read as a map, of which null is an empty one; a merge patch replaces the object.
    nothing = check(client.request("PATCH", DEPLOYMENT, b"null", content_type=kind))
    assert nothing.status == (200 if kind == STRATEGIC else 400), nothing
    assert check(client.json("PATCH", WIDGET, {"spec": {"size": 2}}, content_type=STRATEGIC)).status == 415


def test_bent_patches(client: Client, served: Documents) -> None:
    schema = served.schema_of("apps", "v1", "Deployment")
    base = sample("apps/v1", "deployments", "patched", NAMESPACE)
    directives = (
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/env",
        "$deleteFromPrimitiveList/finalizers",
    )

    def make(choose: Choices) -> tuple[str, Any]:
        value = Bodies(served, choose).bend(base, schema, 1 + choose.below(3))
        place = value
        while isinstance(place, dict | list) and place and choose.chance(80):
            place = place[choose.one(sorted(place))] if isinstance(place, dict) else choose.one(place)
        if isinstance(place, dict):
            place[choose.one(directives)] = choose.one(
                ("delete", "replace", "merge", [], ["a"], [{"name": "c"}], None, 5)
            )
        return choose.one((STRATEGIC, MERGE)), value

    def sent(case: tuple[str, Any]) -> None:
        check(client.json("PATCH", DEPLOYMENT + "?dryRun=All", case[1], content_type=case[0]), case)

    attempt("bent patches", make, sent, tries=60, long_tries=5000)


_LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%b]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghijklm"
)
_HEAD = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: patched}\n"
YAMLS = (
    b"", b"x", b"[]", b"- a", b"null", b"---\n---\n", b"\0", b"\xff\xfe", b"\xff\xfea\0:\0 \0b\0",
    b"%YAML 9.9\n---\n{}",
    _LAUGHS, _HEAD + b"data: &a {x: *a}", _HEAD + b"data: *b", _HEAD + b"data: !!python/object:os.system {x: y}",
    _HEAD + b"data: {<<: [{a: b}, {c: d}]}", _HEAD + b"data: {<<: 5}", _HEAD + b"data: {a: " + b"[" * 5_000,
    _HEAD + b"data: " + b"\n ".join(b"? a" for _ in range(3_000)),
    _HEAD + b"data: {a: .nan}", _HEAD + b"data: {a: 1e999}",
    _HEAD + b"data: {1: 2, true: false, null: x}", _HEAD + b"data: {[a]: b}", _HEAD + b"data: {a: !!binary '====' }",
    _HEAD + b"---\n" + _HEAD, _HEAD + b"data:\n\ta: b", _HEAD + b"data: {a: b", _HEAD + b"data: {a: b}\ndata: {c: d}",
    b"{" * 100_000, b"a: b\n" * 20_000, b"? " * 5_000, b"&a " * 5_000, b"a: |\n " + b"x" * 1_000_000, b"a: 'x" * 1_000,
    json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "patched",
    "managedFields": [{}]}}).encode(),
    json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": []}).encode(),
    json.dumps({"apiVersion": [], "kind": {}, "metadata": None}).encode(),
)  # fmt: skip


def test_documents_to_apply(plane: Plane, client: Client) -> None:
    for body in YAMLS:
        before, began = plane.resident(), plane.worked()
        for path in (MAP, DEPLOYMENT, WIDGET):
            answer = check(client.request("PATCH", path + "?fieldManager=a", body, content_type=APPLY), body[:200])
            assert answer.status < 300 or 400 <= answer.status <= 500, answer
        check(client.request("PUT", MAP, body, content_type="application/yaml"), body[:200])
        assert plane.worked() - began < 4.0, body[:200]
        assert plane.resident() - before < 60 * 2**20, body[:200]


_OF_MANAGER = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}
MANAGERS: tuple[Any, ...] = (
    5, "x", {}, [5], [None], [[]], [{}], [{"manager": 5}], [{"manager": "m", "operation": "x"}],
    [{"manager": "m", "operation": "Update", "apiVersion": "v9", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}],
    *(
        [{**_OF_MANAGER, "fieldsV1": fields}]
        for fields in (
            None, 5, "x", [], {"x": 1}, {"f:": {}}, {"f:data": 5}, {"f:data": {"f:a": [1]}}, {"k:": {}}, {"k:{": {}},
            {"k:5": {}},
            {"k:{}": {}}, {"v:": {}}, {"v:{": {}}, {"i:x": {}}, {"i:99999999999999999999": {}}, {".": 5}, {"": {}},
            {"f": {}},
            {"f:data": {"k:{\"name\":{}}": {}}}, {"f:metadata": {"f:finalizers": {"v:\"\\ud800\"": {}}}},
            json.loads('{"f:a":' * 90 + "{}" + "}" * 90), {f"f:x{i}": {} for i in range(5_000)},
        )
    ),
)  # fmt: skip


def test_managed_fields_that_make_no_sense(client: Client) -> None:
    for managers in MANAGERS:
        body = {"metadata": {"name": "patched", "managedFields": managers}, "data": {"a": "c"}}
        check(client.json("PUT", MAP, body), managers)
        applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "patched"}, "data": {"a": "d"}}
        answer = client.json("PATCH", MAP + "?fieldManager=other&force=true", applied, content_type=APPLY)
        assert check(answer, managers).status == 200, managers


def test_texts_that_no_encoder_writes(client: Client, served: Documents) -> None:
    base = sample("apps/v1", "deployments", "patched", NAMESPACE)

    def make(choose: Choices) -> tuple[str, str, bytes]:
        method, kind = choose.one((("PUT", JSON), ("PATCH", MERGE), ("PATCH", STRATEGIC), ("PATCH", APPLY)))
        value = {**(base or {}), "apiVersion": "apps/v1", "kind": "Deployment"}
        return method, kind, Bodies(served, choose).broken(value)

    def sent(case: tuple[str, str, bytes]) -> None:
        method, kind, body = case
        check(client.request(method, DEPLOYMENT + "?dryRun=All&fieldManager=b", body, content_type=kind), case)

    attempt("broken texts", make, sent, tries=80, long_tries=5000)
    assert len(hostile.TEXTS) > 40
