"""Whole objects within messages: as Kubernetes' patch library leaves them, and as its internal types are written."""

from __future__ import annotations

import orjson
import pytest

from kubeactors.api import codec
from kubeactors.api.errors import StatusError
from kubeactors.api.internal_form import internal_form
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object
from kubeactors.api.patched_text import quoted

CONFIG_MAP = "io.k8s.api.core.v1.ConfigMap"
POD = "io.k8s.api.core.v1.Pod"


def config_map() -> Object:
    """With its fields in no order."""
    return {
        "metadata": {"labels": {"b": "2", "a": "1"}, "uid": "u", "name": "n", "resourceVersion": "7"},
        "data": {"y": "2", "x": "1"},
        "kind": "ConfigMap",
        "apiVersion": "v1",
    }


@pytest.mark.parametrize(
    ("patch", "changed", "text"),
    [
        (
            {"data": "x"},
            {"data": "x"},
            '{"apiVersion":"v1","data":"x","kind":"ConfigMap","metadata":{"name":"n","uid":"u","resourceVersion":"7",'
            '"labels":{"a":"1","b":"2"}}}',
        ),
        (
            {"metadata": {"labels": {"c": 1}}},
            {"metadata": {**config_map()["metadata"], "labels": {"c": 1, "b": "2", "a": "1"}}},
            '{"apiVersion":"v1","data":{"x":"1","y":"2"},"kind":"ConfigMap","metadata":{'
            '"labels":{"a":"1","b":"2","c":1},"name":"n","resourceVersion":"7","uid":"u"}}',
        ),
        (
            [{"op": "add", "path": "/data/a~1b", "value": {"z": 1, "y": 2}}],
            {"data": {"a/b": {"z": 1, "y": 2}, "x": "<"}},
            '{"apiVersion":"v1","data":{"a/b":{"z":1,"y":2},"x":"\\u003c"},"kind":"ConfigMap","metadata":{"name":"n",'
            '"uid":"u","resourceVersion":"7","labels":{"a":"1","b":"2"}}}',
        ),
    ],
    ids=["a value is replaced", "a merge touches metadata", "a JSON patch's value stands as it was given"],
)
def test_what_a_patch_does_not_touch_has_the_order_of_structs(patch: object, changed: Object, text: str) -> None:
    assert quoted(config_map() | changed, orjson.dumps(patch), CONFIG_MAP) == text


def test_lists_of_structs_and_maps_of_custom_resources() -> None:
    pod = {"kind": "Pod", "spec": {"containers": [{"image": "i", "name": "c"}], "initContainers": []}, "status": 5}
    text = '{"kind":"Pod","spec":{"initContainers":[],"containers":[{"name":"c","image":"i"}]},"status":5}'
    assert quoted(pod, b'{"status":5}', POD) == text
    assert quoted({"z": 1, "a": {"y": 1, "b": []}}, b'{"z":1}', "") == '{"a":{"b":[],"y":1},"z":1}'


@pytest.mark.parametrize(
    ("patched", "message"),
    [
        ({"apiVersion": "v9"}, 'no kind "ConfigMap" is registered for version "v9" in scheme'),
        ({"kind": "Thing"}, 'no kind "Thing" is registered for version "v1" in scheme'),
        ({"kind": "Secret"}, "the patch changes the type of the object to v1, Kind=Secret"),
        ({"kind": 5}, "json: cannot unmarshal number into Go struct field .kind of type string"),
    ],
)
def test_a_patch_may_not_change_the_type(patched: Object, message: str) -> None:
    kind = registry.by_gvk("v1", "ConfigMap")
    assert kind is not None
    with pytest.raises(StatusError) as caught:
        codec.decode_patched(kind, config_map() | patched, patch=orjson.dumps(patched))
    assert message in caught.value.message


def test_a_patch_may_take_the_type_away() -> None:
    kind = registry.by_gvk("v1", "ConfigMap")
    assert kind is not None
    bare = {key: value for key, value in config_map().items() if key not in ("kind", "apiVersion")}
    decoded = codec.decode_patched(kind, bare, patch=b'{"kind":null,"apiVersion":null}')
    assert (decoded.obj["kind"], decoded.obj["apiVersion"]) == ("ConfigMap", "v1")


@pytest.mark.parametrize(
    ("schema", "value", "shown"),
    [
        ("core.v1.NodeAddress", {"type": "InternalIP"}, {"Type": "InternalIP", "Address": ""}),
        ("core.v1.Taint", {"key": "k"}, {"Key": "k", "Value": "", "Effect": "", "TimeAdded": None}),
        (
            "resource.v1.DeviceRequest",
            {"name": "r", "exactly": {"count": 2}},
            {
                "Name": "r",
                "Exactly": {
                    "DeviceClassName": "",
                    "Selectors": None,
                    "AllocationMode": "",
                    "Count": 2,
                    "AdminAccess": None,
                    "Tolerations": None,
                    "Capacity": None,
                },
                "FirstAvailable": None,
            },
        ),
        (
            "policy.v1.PodDisruptionBudgetSpec",
            {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}},
            {
                "MinAvailable": "50%",
                "Selector": {"matchLabels": {"a": "b"}},
                "MaxUnavailable": None,
                "UnhealthyPodEvictionPolicy": None,
            },
        ),
        ("core.v1.Volume", {"name": "v", "nfs": {"server": "s"}}, {"Server": "s", "Path": "", "ReadOnly": False}),
    ],
)
def test_internal_types_show_every_field(schema: str, value: Object, shown: Object) -> None:
    found = internal_form(value, f"io.k8s.api.{schema}")
    assert (found["NFS"] if schema.endswith("Volume") else found) == shown


def test_the_internal_form_of_a_pod_template() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}], "hostNetwork": True}}
    found = internal_form(template, "io.k8s.api.core.v1.PodTemplateSpec")
    assert next(iter(found)) == "labels"
    context = found["Spec"]["SecurityContext"]
    assert list(context)[:6] == [
        "HostNetwork",
        "HostPID",
        "HostIPC",
        "ShareProcessNamespace",
        "HostUsers",
        "SELinuxOptions",
    ]
    assert context["HostNetwork"] is True
    assert "HostNetwork" not in found["Spec"]
    assert found["Spec"]["Containers"][0]["TTY"] is False
