"""Decoding of bodies: types, unknown and duplicate fields, normalisation, YAML."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeactors.api import codec, yaml
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry

PODS, MAPS, SERVICES = (registry.lookup(r) for r in ("pods", "configmaps", "services"))


def refused(kind: Any, body: bytes, **options: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        codec.decode(kind, body, **options)
    return caught.value


def test_kind_and_version_are_filled_in() -> None:
    obj = codec.decode(MAPS, b'{"metadata":{"name":"a"}}').obj
    assert obj == {"metadata": {"name": "a"}, "kind": "ConfigMap", "apiVersion": "v1"}
    assert codec.decode(MAPS, b"null").obj["metadata"] == {}


def test_unknown_fields_warn_are_refused_or_ignored() -> None:
    body = orjson.dumps(
        {
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "imagee": "x", "ports": [{"containerPort": 80, "prot": "TCP"}]}]},
            "extra": 1,
        }
    )
    unknown = [
        'unknown field "spec.containers[0].imagee"',
        'unknown field "spec.containers[0].ports[0].prot"',
        'unknown field "extra"',
    ]
    decoded = codec.decode(PODS, body)
    assert decoded.warnings == unknown
    assert "extra" not in decoded.obj
    assert "imagee" not in decoded.obj["spec"]["containers"][0]
    assert codec.decode(PODS, body, field_validation="Ignore").warnings == []
    error = refused(PODS, body, field_validation="Strict")
    assert error.reason == "BadRequest"
    assert error.message == (
        f'Pod in version "v1" cannot be handled as a Pod: strict decoding error: {", ".join(unknown)}'
    )


def test_duplicate_fields_are_found_whatever_the_spacing() -> None:
    for body in (b'{"metadata":{"name":"a","name":"a"},"data":{}}', b'{"metadata" : {"name" : "a", "name" : "a"}}'):
        assert codec.decode(MAPS, body).warnings == ['duplicate field "metadata.name"']
    text = b'{"metadata":{"name":"a","name":"a","x":1},"zz":2,"zz":3}'
    assert refused(MAPS, text, field_validation="Strict").message.endswith(
        'strict decoding error: duplicate field "metadata.name", unknown field "metadata.x", unknown field "zz"'
    )


def test_text_that_looks_like_keys_is_no_duplicate() -> None:
    assert codec.decode(MAPS, b'{"metadata":{"name":"a"},"data":{"k":"\\":\\":"}}').warnings == []


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (MAPS, b'{"data":[]}', "array → ConfigMap.data : map[string]string"),
        (MAPS, b'{"data":{"a":1}}', "number → ConfigMap.data : string"),
        (MAPS, b'{"metadata":"x"}', "string → ConfigMap.metadata : v1.ObjectMeta"),
        (MAPS, b'{"metadata":{"uid":4}}', "number → ObjectMeta.metadata.uid : types.UID"),
        (MAPS, b'{"metadata":{"creationTimestamp":4}}', "number → ObjectMeta.metadata.creationTimestamp : string"),
        (MAPS, b'{"immutable":"yes"}', "string → ConfigMap.immutable : bool"),
        (SERVICES, b'{"spec":{"ports":[{"port":"80"}]}}', "string → ServicePort.spec.ports.port : int32"),
        (SERVICES, b'{"spec":{"ports":[{"port":80.5}]}}', "number 80.5 → ServicePort.spec.ports.port : int32"),
        (
            SERVICES,
            b'{"spec":{"ports":[{"port":99999999999}]}}',
            "number 99999999999 → ServicePort.spec.ports.port : int32",
        ),
        (SERVICES, b'{"spec":{"ports":[{"targetPort":true}]}}', "bool → ServicePort.spec.ports.targetPort : int32"),
        (SERVICES, b'{"spec":{"ports":[{"protocol":6}]}}', "number → ServicePort.spec.ports.protocol : v1.Protocol"),
        (SERVICES, b'{"spec":{"ports":["x"]}}', "string → ServiceSpec.spec.ports : v1.ServicePort"),
        (SERVICES, b'{"spec":{"ports":{}}}', "object → ServiceSpec.spec.ports : []v1.ServicePort"),
        (SERVICES, b'{"spec":{"externalIPs":[1]}}', "number → ServiceSpec.spec.externalIPs : string"),
        (PODS, b'{"spec":{"overhead":[]}}', "array → PodSpec.spec.overhead : v1.ResourceList"),
    ],
)
def test_wrong_types_name_the_field(kind: Any, body: bytes, expected: str) -> None:
    error = refused(kind, body)
    assert error.code == 400
    prefix = f'{kind.kind} in version "v1" cannot be handled as a {kind.kind}: json: cannot unmarshal '
    assert error.message == prefix + expected.replace(" → ", " into Go struct field ").replace(" : ", " of type ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a", 0),
        ("YWJjYQ", 4),
        ("not base64", 3),
        ("YWJj=", 4),
        ("YQ=", 3),
        ("YQ=a", 2),
        ("a===", 1),
        ("YQ==x", 4),
        ("YQ==YQ==", 4),
        ("\u00e9", 0),
    ],
)
def test_the_place_of_bad_base64(text: str, place: int) -> None:
    error = refused(MAPS, orjson.dumps({"binaryData": {"a": text}}))
    assert error.message.endswith(f": illegal base64 data at input byte {place}")


@pytest.mark.parametrize(("text", "stored"), [("", ""), ("YQ==", "YQ=="), ("Y\nQ==\r\n", "YQ=="), ("YR==", "YQ==")])
def test_base64_is_normalised(text: str, stored: str) -> None:
    assert codec.decode(MAPS, orjson.dumps({"binaryData": {"a": text}})).obj["binaryData"] == {"a": stored}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"nope", b"{}{}", b"", b'{"kind":1}'])
def test_bodies_that_are_no_objects(body: bytes) -> None:
    message = (
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error"
    )
    assert refused(MAPS, body).message.startswith(message)


def test_another_kind_or_version_is_refused() -> None:
    assert "cannot be handled as a ConfigMap" in refused(MAPS, b'{"kind":"Pod","apiVersion":"v1"}').message
    assert refused(MAPS, b'{"apiVersion":"v2"}').message == (
        "the API version in the data (v2) does not match the expected API version (v1)"
    )
    assert refused(MAPS, b"{}", content_type="text/plain").code == 415


def test_objects_are_written_as_kubernetes_writes_them() -> None:
    pod = codec.decode(
        PODS,
        orjson.dumps(
            {
                "metadata": {"name": "p", "labels": {}, "creationTimestamp": None},
                "spec": {
                    "hostNetwork": False,
                    "nodeName": "",
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 0,
                    "volumes": [],
                    "containers": [{"name": "c", "resources": {"limits": {"cpu": "0.5"}}}, {"name": "d"}],
                },
                "status": {
                    "startTime": "2026-01-01T02:00:00+02:00",
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        ),
    ).obj
    assert pod["metadata"] == {"name": "p"}
    assert pod["spec"] == {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {"name": "c", "resources": {"limits": {"cpu": "500m"}}},
            {"name": "d", "resources": {}},
        ],
    }
    assert pod["status"]["startTime"] == "2026-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}
    assert pod["status"]["conditions"] == [condition]


def test_required_fields_come_with_their_zero() -> None:
    slices = registry.lookup("endpointslices")
    obj = codec.decode(slices, b'{"metadata":{"name":"e"},"endpoints":[]}').obj
    assert (obj["addressType"], obj["endpoints"], obj["ports"]) == ("", None, None)
    node = codec.decode(registry.lookup("nodes"), b'{"metadata":{"name":"n"}}').obj
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}


def test_null_in_maps_and_lists_is_the_zero() -> None:
    obj = codec.decode(MAPS, b'{"metadata":{"name":"a","finalizers":[null]},"data":{"k":null}}').obj
    assert obj["data"] == {"k": ""}
    assert obj["metadata"]["finalizers"] == [""]


def test_decoding_is_idempotent() -> None:
    body = orjson.dumps({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    first = codec.decode(PODS, body).obj
    assert codec.decode(PODS, orjson.dumps(first)).obj == first


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "spec", "containers", "name", "labels", "ports", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_document_is_decoded_or_refused(value: Any) -> None:
    try:
        obj = codec.decode(PODS, orjson.dumps(value)).obj
    except StatusError as error:
        assert error.code == 400
    else:
        assert codec.decode(PODS, orjson.dumps(obj)).obj == obj


def test_yaml_is_yaml_1_1() -> None:
    decoded = codec.decode(
        MAPS, b'metadata: {name: "y"}\ndata: {1: "on", t: 2001-01-01x}\n', content_type="application/yaml"
    )
    assert decoded.obj["data"] == {"1": "on", "t": "2001-01-01x"}
    error = refused(MAPS, b"metadata: {name: y}", content_type="application/yaml")
    assert "cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string" in error.message
    assert yaml.load(b"a: 2001-01-01")[0] == {"a": "2001-01-01"}, "times stay text"


def test_yaml_tells_the_line_of_a_repeated_key() -> None:
    body = b"metadata: {name: m}\ndata: {a: b}\ndata: {c: d}\n"
    assert codec.decode(MAPS, body, content_type="application/yaml").warnings == [
        'line 3: key "data" already set in map'
    ]


@pytest.mark.parametrize("body", [b"a: b: c", b"[", b"? {a: b}\n: c", b"a: .nan"])
def test_yaml_without_a_json_form_is_refused(body: bytes) -> None:
    assert refused(MAPS, body, content_type="application/yaml").message.startswith(
        "the object provided is unrecognized"
    )


def test_yaml_comes_back() -> None:
    value = {"b": ["1", True, None, 2.5], "a": "on"}
    assert yaml.load(yaml.dump(value)) == (value, [])


@pytest.mark.parametrize("text", ["n", "y", "On", "1e3", "0o7", "0b1", "1_000", "12:30", "1.", "~", "=", "<<", ".inf"])
def test_text_that_could_be_something_else_is_written_in_quotes(text: str) -> None:
    for value in ({"a": text}, {text: "a"}, [text]):
        assert yaml.load(yaml.dump(value))[0] == value


YAML = "application/yaml"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30:45", "12:30:45"),
        ("1e3", 1000),
        ("0x1F", 31),
        ("010", 8),
        ("0b11", 3),
        ("-1_000", -1000),
        ("1.50", 1.5),
        ("18446744073709551616", 18446744073709551616.0),
        ("1e99999", "1e99999"),
    ],
)
def test_numbers_of_yaml_are_gos(text: str, value: object) -> None:
    found = yaml.load(f"a: {text}".encode())[0]["a"]
    assert (found, type(found)) == (value, type(value))


def test_what_an_alias_stands_for_is_a_copy() -> None:
    value, _ = yaml.load(b"a: &x {k: v}\nb: *x\nc: {<<: *x, l: w}\n")
    assert value == {"a": {"k": "v"}, "b": {"k": "v"}, "c": {"k": "v", "l": "w"}}
    assert value["a"] is not value["b"]


@pytest.mark.parametrize(
    "body",
    [
        b"a: " + b"[" * 900_000,
        b"- " * 5000,
        b"a: &a [x, x]\n" + b"".join(b"%c: &%c [%b]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefg"),
        b"a: &a [*a]",
        b"a: *b",
        b"a: !!float ''",
    ],
)
def test_yaml_that_could_harm_is_refused(body: bytes) -> None:
    assert refused(MAPS, body, content_type=YAML).code == 400


def test_of_many_repeated_keys_some_are_told() -> None:
    body = b"metadata: {name: a}\n" + b"".join(b"data: {a%d: b}\n" % i for i in range(1000))
    assert len(codec.decode(MAPS, body, content_type=YAML).warnings) == 100
    patch = b'{"data":{' + b",".join(b'"a%d":"","a%d":""' % (i, i) for i in range(1000)) + b"}}"
    assert len(codec.duplicate_keys(patch)) == 100


def test_deep_nesting_is_refused_or_dropped() -> None:
    for levels in (300, 900, 100_000):
        deep = b"[" * levels + b"]" * levels
        error = refused(MAPS, b'{"metadata":{"name":"a"},"zz":%b}' % deep)
        assert (error.code, error.reason) == (400, "BadRequest")
    deep = b"[" * 200 + b"]" * 200
    assert codec.decode(MAPS, b'{"metadata":{"name":"a"},"zz":%b}' % deep).warnings == ['unknown field "zz"']


def test_many_unknown_fields_are_told_in_part() -> None:
    body = orjson.dumps({"metadata": {"name": "a"}, **{f"x{n}": 1 for n in range(50_000)}})
    decoded = codec.decode(MAPS, body)
    assert (len(decoded.warnings), len(decoded.obj)) == (100, 3)


def test_nulls_in_maps_of_bytes_are_empty() -> None:
    assert codec.decode(MAPS, b'{"binaryData":{"a":null}}').obj["binaryData"] == {"a": ""}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_times_outside_of_the_calendar_are_refused(time: str) -> None:
    error = refused(registry.lookup("leases"), orjson.dumps({"spec": {"renewTime": time}}))
    assert "parsing time" in error.message
