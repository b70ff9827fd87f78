"""Strategic merge patch: merge keys, directives, order."""

import time
from typing import Any

import pytest

from kubeactors.api.patch import BadPatchFormatError, StrategicPatchError, UnmergeablePatchError, apply_strategic_patch
from kubeactors.api.schema import struct

POD = struct("io.k8s.api.core.v1.Pod")


def template() -> dict[str, Any]:
    return {
        "metadata": {"finalizers": ["a/a", "a/b"]},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "i:1",
                    "args": ["x", "y"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                },
                {"name": "d", "image": "i:2"},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "c"}}],
            "nodeSelector": {"a": "b", "c": "d"},
            "tolerations": [{"key": "k", "operator": "Exists"}],
        },
    }


def patched(spec: dict[str, Any]) -> dict[str, Any]:
    return apply_strategic_patch(template(), {"spec": spec}, POD)["spec"]


def names(items: list[dict[str, Any]]) -> list[str]:
    return [i["name"] for i in items]


def test_lists_with_a_key_merge_and_nest() -> None:
    spec = patched({"containers": [{"name": "c", "image": "new", "env": [{"name": "B", "value": "9"}, {"name": "C"}]}]})
    assert names(spec["containers"]) == ["c", "d"]
    assert spec["containers"][0]["image"] == "new"
    assert spec["containers"][0]["args"] == ["x", "y"]
    assert spec["containers"][0]["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "9"},
        {"name": "C"},
    ]


def test_atomic_lists_are_replaced() -> None:
    spec = patched({"tolerations": [{"key": "other"}], "containers": [{"name": "c", "args": ["z"]}]})
    assert spec["tolerations"] == [{"key": "other"}]
    assert spec["containers"][0]["args"] == ["z"]


def test_new_elements_come_before_the_servers() -> None:
    spec = patched({"containers": [{"name": "z"}, {"name": "b"}, {"name": "c"}]})
    assert names(spec["containers"]) == ["z", "b", "c", "d"]


def test_null_deletes() -> None:
    spec = patched({"nodeSelector": {"a": None}, "tolerations": None, "containers": [{"name": "c", "env": None}]})
    assert spec["nodeSelector"] == {"c": "d"}
    assert "tolerations" not in spec
    assert "env" not in spec["containers"][0]


def test_elements_are_deleted_by_key() -> None:
    assert names(patched({"containers": [{"name": "c", "$patch": "delete"}]})["containers"]) == ["d"]
    assert names(patched({"containers": [{"name": "zz", "$patch": "delete"}]})["containers"]) == ["c", "d"]


def test_lists_and_maps_are_replaced_on_demand() -> None:
    spec = patched(
        {"containers": [{"$patch": "replace"}, {"name": "only"}], "nodeSelector": {"$patch": "replace", "n": "1"}}
    )
    assert spec["containers"] == [{"name": "only"}]
    assert spec["nodeSelector"] == {"n": "1"}
    assert patched({"nodeSelector": {"$patch": "delete"}})["nodeSelector"] == {}


def test_primitive_lists_merge_and_lose_elements() -> None:
    result = apply_strategic_patch(template(), {"metadata": {"finalizers": ["a/b", "a/c"]}}, POD)
    assert sorted(result["metadata"]["finalizers"]) == ["a/a", "a/b", "a/c"]
    result = apply_strategic_patch(template(), {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"]}}, POD)
    assert result["metadata"]["finalizers"] == ["a/b"]


def test_retained_keys() -> None:
    spec = patched({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]})
    assert spec["volumes"][0] == {"name": "v", "hostPath": {"path": "/x"}}
    with pytest.raises(BadPatchFormatError, match="invalid patch format of retainKeys"):
        patched({"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {"path": "/x"}}]})


def test_order_is_set() -> None:
    assert names(patched({"$setElementOrder/containers": [{"name": "d"}, {"name": "c"}]})["containers"]) == ["d", "c"]
    spec = patched(
        {
            "$setElementOrder/containers": [{"name": "e"}, {"name": "c"}, {"name": "d"}],
            "containers": [{"name": "e", "image": "x"}],
        }
    )
    assert names(spec["containers"]) == ["e", "c", "d"]
    spec = patched({"$setElementOrder/initContainers": [{"name": "d"}]})
    assert "initContainers" not in spec
    spec = patched({"$setElementOrder/containers": [{"name": "d"}, {"image": "no key"}]})
    assert names(spec["containers"]) == ["c", "d"]  # without a list to order, nobody minds


def test_directives_do_not_reach_new_values() -> None:
    result = apply_strategic_patch(
        {"spec": {}},
        {
            "spec": {
                "containers": [{"name": "a"}, {"name": "b", "$patch": "delete"}],
                "$setElementOrder/containers": [{"name": "a"}],
            }
        },
        POD,
    )
    assert result["spec"]["containers"] == [{"name": "a"}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"volumes": ["x", 1]},
            "element types are not identical: [[map[emptyDir:map[] name:v] map[configMap:map[name:c] name:w]] [x 1]]",
        ),
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": [{"name": "c", "$patch": "merge"}]}, "merging lists cannot yet be specified in the patch"),
        ({"containers": [{"name": "c", "$patch": "x"}]}, "unknown patch type: x in map: map[$patch:x name:c]"),
        (
            {"containers": [{"$patch": "replace"}, {"image": "x"}]},
            "map: map[image:x] does not contain declared merge key",
        ),
        ({"$deleteFromPrimitiveList/tolerations": [{"key": "k"}]}, "cannot merge lists without merge key for struct"),
        ({"$patch": "x", "a": True}, "unknown patch type: x in map: map[$patch:x a:true]"),
        ({"$patch": 5}, "unknown patch type: %!s(int64=5) in map: map[$patch:5]"),
        ({"$setElementOrder/containers": "x"}, "expected a []interface {}, but received a string"),
        ({"$setElementOrder/containers": None}, "expected a []interface {}, but received a %!s(<nil>)"),
        ({"$setElementOrder/containers": [], "containers": None}, "[]interface {}, but received a %!s(<nil>)"),
        ({"$setElementOrder/none": []}, 'unable to find api field in struct PodSpec for the json field "none"'),
        (
            {"$setElementOrder/containers": ["c"], "containers": [{"name": "c"}]},
            "expected a map[string]interface {}, but received a string",
        ),
        ({"$setElementOrder/hostAliases": [], "hostAliases": []}, "no elements in any of the given slices"),
        (
            {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "e"}]},
            "The order in patch list:",
        ),
    ],
)
def test_patches_that_cannot_be_merged(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategicPatchError) as caught:
        patched(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"$deleteFromPrimitiveList": ["a"]}, "invalid patch format of primitive list"),
        ({"$setElementOrder": []}, "invalid patch format of setElementOrder list"),
    ],
)
def test_directives_that_name_no_list(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPatchFormatError, match=message):
        patched(spec)


def test_maps_with_a_directive_do_not_come_anew() -> None:
    patch = {"securityContext": {"$patch": "replace", "runAsUser": 1}, "dnsConfig": {"options": [{"$patch": "delete"}]}}
    spec = patched(patch)
    assert "securityContext" not in spec
    assert spec["dnsConfig"] == {"options": []}


def test_what_is_deleted_from_a_list_may_be_everything_or_nothing() -> None:
    def finalizers(gone: Any) -> Any:
        patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": gone}}
        return apply_strategic_patch(template(), patch, POD)["metadata"].get("finalizers")

    assert finalizers(None) is None
    assert finalizers("a/a") == ["a/a", "a/b"]


def test_only_fields_of_structs_are_merged() -> None:
    revision = struct("io.k8s.api.apps.v1.ControllerRevision")
    free = 'unable to find api field in struct RawExtension for the json field "spec"'
    with pytest.raises(StrategicPatchError, match=free):
        apply_strategic_patch({"data": {"spec": {"a": 1}}}, {"data": {"spec": {"b": 1}}}, revision)
    review = struct("io.k8s.api.certificates.v1.CertificateSigningRequest")
    with pytest.raises(StrategicPatchError, match="data type is not struct, instead is: map"):
        apply_strategic_patch({"spec": {"extra": {"a": ["1"]}}}, {"spec": {"extra": {"a": ["2"]}}}, review)
    made = apply_strategic_patch({"data": {"spec": 1}}, {"data": {"spec": {"b": 1}}}, revision)
    assert made == {"data": {"spec": {"b": 1}}}


def test_lists_of_lists_are_not_merged() -> None:
    with pytest.raises(UnmergeablePatchError):
        apply_strategic_patch({"metadata": {"finalizers": [["a"]]}}, {"metadata": {"finalizers": [["b"]]}}, POD)


def test_long_lists_merge_in_time_that_grows_with_their_length() -> None:
    schema = struct("io.k8s.api.core.v1.ConfigMap")
    names = [f"example.com/{n}" for n in range(50_000)]
    patch = {"metadata": {"finalizers": names, "$setElementOrder/finalizers": names}}
    started = time.process_time()
    made = apply_strategic_patch({"metadata": {"finalizers": ["example.com/7", "a/b"]}}, patch, schema)
    assert time.process_time() - started < 5, "a quadratic merge takes minutes"
    assert sorted(made["metadata"]["finalizers"]) == sorted([*names, "a/b"])
