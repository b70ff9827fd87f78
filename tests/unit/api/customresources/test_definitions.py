"""CustomResourceDefinition: its rules, its names and conditions, and the kinds made of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kubeactors.api.codec import copy
from kubeactors.api.customresources.conditions import accept_names
from kubeactors.api.customresources.definition_rules import definition_errors
from kubeactors.api.customresources.jsonpath import JsonPathError, json_path
from kubeactors.api.customresources.kinds import kinds_of
from kubeactors.api.kinds.customresourcedefinitions import KIND
from kubeactors.api.table import cells

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def definition(plural: str = "widgets", kind: str = "Widget", **version: Any) -> dict[str, Any]:
    made = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": ANYTHING, **version}],
        },
    }
    KIND.decoder(made)
    KIND.strategy.default(made)
    KIND.strategy.prepare_for_create(made, NOW)
    return made


def texts(crd: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [str(error) for error in definition_errors(crd, old)]


def test_defaults() -> None:
    made = definition()
    assert made["spec"]["names"] == {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
    }
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["status"] == {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": ["v1"],
    }
    assert texts(made) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            {"additionalPrinterColumns": [{"name": "", "type": "x", "jsonPath": "a"}]},
            [
                "spec.additionalPrinterColumns[0].name: Required value",
                'spec.additionalPrinterColumns[0].type: Invalid value: "x": must be one of '
                "boolean,date,integer,number,string",
                'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": '
                "must be a simple json path starting with .",
            ],
        ),
        (
            {"subresources": {"scale": {"specReplicasPath": "x", "statusReplicasPath": ".spec.x"}}},
            [
                'spec.subresources.scale.specReplicasPath: Invalid value: "x": '
                "must be a simple json path starting with .",
                'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.x": '
                "should be a json path under .status",
            ],
        ),
        (
            {"selectableFields": [{"jsonPath": ".spec.zz"}]},
            [
                'spec.selectableFields[0].jsonPath: Invalid value: ".spec.zz": is an invalid path: '
                "does not refer to a valid field"
            ],
        ),
        (
            {"deprecationWarning": "old"},
            ['spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions'],
        ),
        ({"schema": None}, ["spec.versions[0].schema.openAPIV3Schema: Required value"]),
    ],
)
def test_rules_of_a_version(version: dict[str, Any], expected: list[str]) -> None:
    assert texts(definition(**version)) == expected


def test_what_versions_do_not_share_is_told_by_version() -> None:
    made = definition()
    other = {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "string"}}}
    made["spec"]["versions"].append(other)
    assert texts(made) == [
        'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root'
    ]


def test_conversion_by_webhook() -> None:
    made = definition()
    made["spec"]["conversion"] = {"strategy": "Webhook"}
    assert texts(made) == [
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        "spec.conversion.conversionReviewVersions: Required value",
    ]
    made["spec"]["conversion"]["webhook"] = {
        "clientConfig": {"url": "http://user@example.com/x?y"},
        "conversionReviewVersions": ["v9"],
    }
    assert [text.partition(":")[0] for text in texts(made)] == [
        "spec.conversion.webhookClientConfig.url",
        "spec.conversion.webhookClientConfig.url",
        "spec.conversion.webhookClientConfig.url",
        "spec.conversion.conversionReviewVersions",
    ]


def test_community_groups_need_an_approval() -> None:
    made = definition()
    made["spec"]["group"] = "example.k8s.io"
    assert texts(made)[-1].startswith("metadata.annotations[api-approved.kubernetes.io]: Required value")
    made["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
    assert texts(made) == []


def test_a_stored_version_stays() -> None:
    made = definition()
    made["status"]["storedVersions"] = ["v0", "v1"]
    assert "v0 was previously a storage version" in texts(made)[0]


def test_names_are_fixed_once_established() -> None:
    old = definition()
    accept_names(old, [old], NOW)
    old["status"]["conditions"].append({"type": "Established", "status": "True"})
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    new = copy(old)
    new["spec"]["names"]["kind"] = "Gadget"
    assert texts(new, old) == ['spec.names.kind: Invalid value: "Gadget": field is immutable']


class TestNames:
    def test_free_names_are_granted(self) -> None:
        made = definition()
        assert accept_names(made, [made], NOW)
        conditions = {each["type"]: (each["status"], each["reason"]) for each in made["status"]["conditions"]}
        assert conditions == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("False", "Installing")}
        assert made["status"]["acceptedNames"] == made["spec"]["names"]
        assert not accept_names(made, [made], NOW)

    def test_the_second_to_ask_is_refused_and_gets_what_is_free(self) -> None:
        first, second = definition(), definition("gadgets")
        accept_names(first, [first, second], NOW)
        accept_names(second, [first, second], NOW)
        assert second["status"]["acceptedNames"] == {"plural": "gadgets", "singular": "gadget", "kind": ""} or (
            second["status"]["acceptedNames"]["kind"] == ""
        )
        named, established = second["status"]["conditions"]
        assert (named["reason"], named["message"]) == ("ListKindConflict", '"WidgetList" is already in use')
        assert (established["status"], established["reason"]) == ("False", "NotAccepted")

    def test_a_freed_name_is_granted_later(self) -> None:
        first, second = definition(), definition("gadgets")
        accept_names(first, [first, second], NOW)
        accept_names(second, [first, second], NOW)
        assert accept_names(second, [second], NOW)
        assert second["status"]["conditions"][0]["status"] == "True"

    def test_short_names_conflict(self) -> None:
        first, second = definition(), definition("gadgets", "Gadget")
        first["spec"]["names"]["shortNames"] = second["spec"]["names"]["shortNames"] = ["w"]
        accept_names(first, [first, second], NOW)
        accept_names(second, [first, second], NOW)
        assert second["status"]["conditions"][0]["reason"] == "ShortNamesConflict"


class TestKinds:
    def test_versions_are_ordered_and_deprecated_ones_warn(self) -> None:
        made = definition()
        beta = {"name": "v1beta1", "served": True, "storage": False, "deprecated": True, "schema": ANYTHING}
        hidden = {"name": "v2", "served": False, "storage": False, "schema": ANYTHING}
        made["spec"]["versions"] = [beta, hidden, *made["spec"]["versions"]]
        accept_names(made, [made], NOW)
        kinds = kinds_of(made)
        assert [kind.version for kind in kinds] == ["v1", "v1beta1"]
        assert kinds[1].deprecation == "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"
        assert kinds[0].storage_prefix == "/registry/example.com/widgets/"

    def test_columns(self) -> None:
        paths = [
            ("i", "integer", ".spec.n"),
            ("s", "string", ".spec.l[*].k"),
            ("d", "date", ".metadata.creationTimestamp"),
        ]
        made = definition(additionalPrinterColumns=[{"name": n, "type": t, "jsonPath": p} for n, t, p in paths])
        accept_names(made, [made], NOW)
        kind = kinds_of(made)[0]
        obj = {
            "metadata": {"name": "a", "creationTimestamp": "2026-01-02T03:03:05Z"},
            "spec": {"n": 3, "l": [{"k": "x"}]},
        }
        assert cells(kind, obj, NOW) == ["a", 3, "x", "60s"]
        assert cells(kind, {"metadata": {"name": "b"}, "spec": {"n": "x"}}, NOW) == ["b", None, None, None]

    def test_selectable_fields(self) -> None:
        schema = {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            }
        }
        made = definition(schema=schema, selectableFields=[{"jsonPath": ".spec.n"}])
        accept_names(made, [made], NOW)
        kind = kinds_of(made)[0]
        assert kind.selectable_fields({"metadata": {"name": "a"}, "spec": {"n": 2}})["spec.n"] == "2"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        (".a['b']", [1]),
        (".l[0].t", ["x"]),
        (".l[-1].t", ["y"]),
        (".l[*].t", ["x", "y"]),
        (".l[0:1].t", ["x"]),
        ('.l[?(@.t=="y")].v', [2]),
        ("..v", [1, 2]),
        (".zz", []),
        (".d\\.e", [3]),
    ],
)
def test_json_path(path: str, found: list[Any]) -> None:
    obj = {"a": {"b": 1}, "l": [{"t": "x", "v": 1}, {"t": "y", "v": 2}], "d.e": 3}
    assert json_path(path)(obj) == found


def test_a_broken_json_path() -> None:
    with pytest.raises(JsonPathError):
        json_path(".a[")


def of(properties: dict[str, Any], **root: Any) -> dict[str, Any]:
    return {"openAPIV3Schema": {"type": "object", "properties": properties, **root}}


def test_quoted_versions_have_gos_names() -> None:
    made = definition(schema=of({"a": {"type": "integer", "minimum": 1.0}}))
    made["spec"]["versions"].append({"name": "v2", "served": False, "storage": True, "schema": ANYTHING})
    (error,) = [error for error in definition_errors(made) if error.field == "spec.versions"]
    shown = error.bad_value[0]["Schema"]["OpenAPIV3Schema"]
    assert list(shown)[:5] == ["ID", "Schema", "Ref", "Description", "Type"]
    assert len(shown) == 44
    assert shown["Properties"]["a"]["Minimum"] == 1
    assert error.bad_value[1]["Schema"]["OpenAPIV3Schema"]["XPreserveUnknownFields"] is True


def test_root_beside_a_status() -> None:
    schema = of({}, oneOf=[{"required": ["a"]}], type="string")
    wrong = texts(definition(subresources={"status": {}}, schema=schema))
    assert wrong[0].startswith(
        'spec.validation.openAPIV3Schema.type: Invalid value: "string": only "object" is allowed'
    )
    schema = of({}, oneOf=[{"required": ["a"]}])
    (wrong_root,) = texts(definition(subresources={"status": {}}, schema=schema))
    assert wrong_root.startswith('spec.validation.openAPIV3Schema: Invalid value: {"ID":"","Schema":"","Ref":null,')


def test_unknown_fields_are_preserved_by_no_definition_with_more_than_that() -> None:
    made = definition(schema=of({"a": {"type": "string", "default": "x"}}))
    made["spec"]["preserveUnknownFields"] = True
    made["spec"]["conversion"] = {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}
    where = "spec.preserveUnknownFields: Invalid value: true:"
    assert texts(made) == [
        f"{where} must be false in order to use defaults in the schema",
        'spec.conversion.strategy: Invalid value: "Webhook": must be None if spec.preserveUnknownFields is true',
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        f"{where} cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
        "instead",
    ]


def test_selectable_fields_need_a_schema_of_their_own() -> None:
    schema = of({"a": {"type": "string"}, "b": {"type": "string"}})
    made = definition(schema=schema, selectableFields=[{"jsonPath": ".a"}])
    other = {"name": "v2", "served": True, "storage": False, "schema": schema}
    made["spec"]["versions"].append({**other, "selectableFields": [{"jsonPath": ".b"}]})
    told = "selectableFields may only be set when version.schema.openAPIV3Schema is not included"
    assert texts(made) == [f'spec.versions[{i}].selectableFields: Invalid value: "": {told}' for i in (0, 1)]


def test_unrecognised_formats_are_told_once() -> None:
    old = definition(schema=of({"a": {"type": "string", "format": "x"}}))
    new = definition(schema=of({name: {"type": "string", "format": name} for name in ("x", "y")}))
    assert KIND.strategy.warnings_on_create(old) == ['unrecognized format "x"']
    assert KIND.strategy.warnings_on_update(new, old) == ['unrecognized format "y"']


def test_columns_of_odd_values() -> None:
    columns = [{"name": name, "type": kind, "jsonPath": f".{name}"} for name, kind in (("a", "string"), ("b", "date"))]
    (kind,) = kinds_of(definition(additionalPrinterColumns=columns))
    row = {"metadata": {"name": "n"}, "a": None, "b": ""}
    assert cells(kind, row, NOW) == ["n", "<no value>", "<unknown>"]
    assert cells(kind, {**row, "a": {"z": 1, "b": "<"}}, NOW)[1] == '{"b":"\\u003c","z":1}'
    assert cells(kind, {**row, "a": 1500000.5}, NOW)[1] == "1.5000005e+06"
