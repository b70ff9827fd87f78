"""Objects in protobuf, as kubectl sends them, against the JSON that they stand for."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api.kinds import registry
from kubeactors.api.protobuf import ProtobufError, decode_object, encode_event, encode_object, schema_of
from kubeactors.api.protobuf.messages import MAGIC, known

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."

# What `kubectl create namespace foo` (1.37.1) sends.
NAMESPACE = bytes.fromhex(
    "6b3873000a0f0a0276311209 4e616d657370616365 121b0a130a03666f6f12001a0022002a003200380042001200 1a020a001a002200"
)


def varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def field(number: int, value: int | str | bytes | list[bytes]) -> bytes:
    """One field: an integer, text, bytes, or a message given as its fields."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = b"".join(value) if isinstance(value, list) else value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(version: str, kind: str, *fields: bytes) -> bytes:
    return MAGIC + field(1, [field(1, version), field(2, kind)]) + field(2, list(fields))


def decode(schema: str, *fields: bytes) -> dict[str, Any]:
    found = decode_object(body("v1", "X", *fields), schema)
    assert (found.pop("kind"), found.pop("apiVersion")) == ("X", "v1")
    return found


def test_what_kubectl_sends() -> None:
    assert decode_object(NAMESPACE, CORE + "Namespace") == {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": "foo"},
    }


def test_zero_values_count_only_where_json_would_have_them() -> None:
    spec = field(2, [field(1, 0), field(5, 0), field(7, 0)])  # replicas, minReadySeconds, paused
    assert decode("io.k8s.api.apps.v1.Deployment", spec) == {"spec": {"replicas": 0}}


def test_a_volume_has_its_sources_fields() -> None:
    config_map = field(19, [field(1, [field(1, "settings")]), field(3, 420)])
    volume = field(1, [field(1, "v"), field(2, [config_map])])
    empty = field(1, [field(1, "e"), field(2, [field(2, [])])])
    assert decode(CORE + "PodSpec", volume, empty)["volumes"] == [
        {"name": "v", "configMap": {"name": "settings", "defaultMode": 420}},
        {"name": "e", "emptyDir": {}},
    ]


def test_lists_maps_bytes_and_quantities() -> None:
    entry = [field(1, "k"), field(2, b"\x00\xff")]
    assert decode(CORE + "Secret", field(2, entry)) == {"data": {"k": "AP8="}}
    limits = field(1, [field(1, "cpu"), field(2, [field(1, "100m")])])
    assert decode(CORE + "ResourceRequirements", limits) == {"limits": {"cpu": "100m"}}
    assert decode(CORE + "Container", field(3, "sh"), field(3, "-c")) == {"command": ["sh", "-c"]}
    groups = field(5, [field(1, "k"), field(2, [field(1, "a"), field(1, "b")])])
    assert decode("io.k8s.api.authorization.v1.SubjectAccessReviewSpec", groups) == {"extra": {"k": ["a", "b"]}}


def test_numbers_packed_or_not() -> None:
    groups = CORE + "PodSecurityContext"
    assert decode(groups, field(4, 1), field(4, 2)) == decode(groups, field(4, varint(1) + varint(2)))
    assert decode(groups, field(1, [field(1, "u")]), field(2, -1))["runAsUser"] == -1


def test_times_and_ports() -> None:
    stamp = [field(1, 1767225600), field(2, 123456789)]
    assert decode(META + "ObjectMeta", field(8, stamp)) == {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert decode(META + "ObjectMeta", field(8, [])) == {}
    lease = decode("io.k8s.api.coordination.v1.LeaseSpec", field(4, stamp))
    assert lease == {"renewTime": "2026-01-01T00:00:00.123456Z"}
    by_name = field(4, [field(1, 1), field(2, 0), field(3, "http")])
    by_number = field(4, [field(1, 0), field(2, 8080), field(3, "")])
    assert decode(CORE + "ServicePort", by_name)["targetPort"] == "http"
    assert decode(CORE + "ServicePort", by_number)["targetPort"] == 8080


def test_fields_of_a_newer_release_are_passed_over() -> None:
    assert decode(CORE + "ConfigMap", field(77, "new"), field(78, 5), field(2, [field(1, "a"), field(2, "b")])) == {
        "data": {"a": "b"}
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        MAGIC + b"\x12\xff",
        MAGIC + field(2, b"\x0a\x05ab"),
        MAGIC + field(2, field(1, 5)),
        MAGIC + field(2, field(1, field(1, b"\xff\xfe"))),
        MAGIC + field(2, b"\x0b"),
        MAGIC + field(2, b"\xff" * 11),
    ],
)
def test_what_is_not_such_a_body(data: bytes) -> None:
    with pytest.raises(ProtobufError):
        decode_object(data, CORE + "Namespace")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProtobufError):
        decode_object(MAGIC + field(2, data), CORE + "Pod")


def test_every_kind_can_be_read_and_written() -> None:
    schemas = {kind.schema for kind in registry.all()}
    schemas |= {each.schema for kind in registry.all() for each in kind.subresources if each.schema}
    assert [schema for schema in schemas if not known(schema)] == []
    for kind in registry.all():
        assert schema_of(kind.api_version, kind.kind) == kind.schema
        assert encode_object({"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}})
        if "list" in kind.verbs:
            assert schema_of(kind.api_version, kind.list_kind) == f"{kind.schema}List"


def test_an_object_in_protobuf() -> None:
    namespace = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "foo"}}
    assert encode_object(namespace) == body("v1", "Namespace", field(1, [field(1, "foo")])) + b"\x1a\x00\x22\x00"


POD = {
    "metadata": {
        "name": "p",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"a": "b", "c": ""},
        "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {".": {}}}}],
    },
    "spec": {
        "volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}, {"name": "e", "emptyDir": {}}],
        "containers": [
            {
                "name": "c",
                "command": ["sh", "-c"],
                "livenessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 5},
                "readinessProbe": {"tcpSocket": {"port": 8080}},
                "resources": {"limits": {"cpu": "100m"}},
                "securityContext": {"runAsUser": -1, "privileged": False},
            }
        ],
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"supplementalGroups": [1, 300]},
    },
    "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "1969-12-31T23:59:59Z"}]},
}
DEFINITION = {
    "spec": {
        "group": "example.com",
        "names": {"plural": "widgets", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "n": {"type": "number", "minimum": 0.5, "maximum": 4, "default": 0},
                            "e": {"enum": ["a", None, 1]},
                            "l": {"type": "array", "items": {"type": "string"}},
                            "m": {"additionalProperties": True},
                            "o": {"additionalProperties": {"x-kubernetes-int-or-string": True}},
                            "p": {"x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    }
}


@pytest.mark.parametrize(
    ("api_version", "kind", "obj"),
    [
        ("v1", "Pod", POD),
        ("v1", "PodList", {"metadata": {"resourceVersion": "5"}, "items": [POD]}),
        ("v1", "Secret", {"data": {"k": "AP8="}, "immutable": True}),
        ("v1", "Service", {"spec": {"ports": [{"port": 80, "targetPort": "http"}], "clusterIPs": ["10.0.0.1"]}}),
        ("v1", "Status", {"status": "Failure", "details": {"causes": [{"field": "spec"}]}, "code": 422}),
        ("v1", "APIVersions", {"versions": ["v1"]}),
        ("v1", "APIResourceList", {"groupVersion": "v1", "resources": [{"name": "p", "verbs": ["get", "list"]}]}),
        ("apps/v1", "Deployment", {"spec": {"replicas": 0, "strategy": {"rollingUpdate": {"maxSurge": "25%"}}}}),
        ("apps/v1", "ControllerRevision", {"data": {"a": [1, None, 2.5]}, "revision": 2**40}),
        ("coordination.k8s.io/v1", "Lease", {"spec": {"renewTime": "2026-01-01T00:00:00.123456Z"}}),
        ("autoscaling/v1", "Scale", {"spec": {"replicas": 3}, "status": {"selector": "a=b"}}),
        ("meta.k8s.io/v1", "PartialObjectMetadata", {"metadata": {"name": "n"}}),
        ("apiregistration.k8s.io/v1", "APIService", {"spec": {"caBundle": "QQ==", "versionPriority": 10}}),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", DEFINITION),
        (
            "authorization.k8s.io/v1",
            "SubjectAccessReview",
            {"spec": {"extra": {"k": ["a", "b"]}}, "status": {"allowed": False}},
        ),
    ],
)
def test_what_is_written_is_read_again(api_version: str, kind: str, obj: dict[str, Any]) -> None:
    whole = {"kind": kind, "apiVersion": api_version, **obj}
    assert _without_empty(decode_object(encode_object(whole), schema_of(api_version, kind))) == _without_empty(whole)


def _without_empty(value: Any) -> Any:
    """Parts that an object has whether or not anything is in them."""
    if isinstance(value, dict):
        kept = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each != {} or key == "emptyDir"}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


def test_events_lie_behind_their_length() -> None:
    event = encode_event("ADDED", b"k8s...")
    assert event == len(event[4:]).to_bytes(4, "big") + field(1, "ADDED") + field(2, [field(1, b"k8s...")])
