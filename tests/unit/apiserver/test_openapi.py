"""The OpenAPI documents of the built-in kinds."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from kubeactors.api.customresources.kinds import kinds_of
from kubeactors.api.kinds import KindRegistry, registry
from kubeactors.api.protobuf.wire import fields
from kubeactors.apiserver.openapi import documents, v2_protobuf
from kubeactors.apiserver.openapi.choices import Choices
from kubeactors.apiserver.openapi.general import general_paths
from protos import kubernetes_choice_sentences


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    return documents.document_v2(registry.all())


def _kinds(group: str, version: str) -> list[Any]:
    return [kind for kind in registry.all() if (kind.group, kind.version) == (group, version)]


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values())) if value else own
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("group", "version"), [("", "v1"), ("apps", "v1")])
def test_version_3_refers_to_nothing_that_it_lacks(group: str, version: str) -> None:
    document = documents.document_v3(_kinds(group, version))
    schemas = document["components"]["schemas"]
    assert {name.removeprefix("#/components/schemas/") for name in _references(document)} <= set(schemas)


def test_version_2_refers_to_nothing_that_it_lacks(swagger: dict[str, Any]) -> None:
    assert {name.removeprefix("#/definitions/") for name in _references(swagger)} <= set(swagger["definitions"])


def test_operations_tell_clients_what_they_look_for() -> None:
    document = documents.document_v3(_kinds("apps", "v1"))
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["operationId"] == "patchAppsV1NamespacedDeployment"
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert {"dryRun", "fieldValidation"} <= {parameter["name"] for parameter in patch["parameters"]}
    scale = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"]
    assert scale["x-kubernetes-group-version-kind"]["kind"] == "Scale"
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(ids) == len(set(ids))


def test_types_are_openapis() -> None:
    schemas = documents.document_v3(_kinds("", "v1"))["components"]["schemas"]
    port = schemas["io.k8s.api.core.v1.ServicePort"]["properties"]
    assert port["port"]["type"] == "integer"
    assert port["targetPort"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString"}
    ]
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert "enum" not in pod["properties"]["kind"]


def test_the_hash_changes_with_the_kinds() -> None:
    whole = documents.content_hash(registry, "apps", "v1")
    assert whole == documents.content_hash(registry, "apps", "v1")
    assert whole != documents.content_hash(registry, "", "v1")


def test_version_2_in_protobuf_holds_the_same(swagger: dict[str, Any]) -> None:
    document = {number: value for number, _, value in fields(v2_protobuf.encode(swagger))}
    assert document[1] == b"2.0"
    definitions = _named(document[9])
    assert set(definitions) == set(swagger["definitions"])
    pod = {number: value for number, _, value in fields(definitions["io.k8s.api.core.v1.Pod"])}
    properties = _named(pod[25])
    assert set(properties) == set(swagger["definitions"]["io.k8s.api.core.v1.Pod"]["properties"])
    spec = {number: value for number, _, value in fields(properties["spec"])}
    assert spec[1] == b"#/definitions/io.k8s.api.core.v1.PodSpec"
    paths = {
        dict((number, value) for number, _, value in fields(entry))[1].decode()
        for number, _, entry in fields(document[8])
        if number == 2
    }
    assert paths == set(swagger["paths"])


def _named(data: Any) -> dict[str, Any]:
    """A list of (name, value) messages as a dictionary."""
    found = {}
    for _, _, entry in fields(data):
        parts = {number: value for number, _, value in fields(entry)}
        found[parts[1].decode()] = parts.get(2, b"")
    return found


def test_custom_resources_are_published_with_their_schema() -> None:
    field = {"type": "string", "nullable": True, "description": "how it is called"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"title": field}}},
    }
    names = {"plural": "books", "singular": "book", "kind": "Book", "listKind": "BookShelf"}
    spec = {"group": "shop.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    kinds = kinds_of({"metadata": {"name": "books.shop.example.com"}, "spec": spec})
    document = documents.document_v3(kinds)
    schemas = document["components"]["schemas"]
    assert schemas["com.example.shop.v1.Book"]["properties"]["title"] == field
    items = schemas["com.example.shop.v1.BookShelf"]["properties"]["items"]["items"]
    assert items == {"$ref": "#/components/schemas/com.example.shop.v1.Book"}
    patch = document["paths"]["/apis/shop.example.com/v1/namespaces/{namespace}/books/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    swagger = documents.document_v2(kinds)["definitions"]["com.example.shop.v1.Book"]["properties"]
    assert swagger["title"] == {"description": "how it is called"}
    before = documents.content_hash(KindRegistry(kinds), "shop.example.com", "v1")
    version["schema"]["openAPIV3Schema"]["properties"]["pages"] = {"type": "integer"}  # type: ignore[index]
    changed = kinds_of({"metadata": {"name": "books.shop.example.com"}, "spec": spec})
    assert documents.content_hash(KindRegistry(changed), "shop.example.com", "v1") != before


def _published(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """A custom resource's schema in OpenAPI 3 and in Swagger 2, and the whole of the latter in protobuf."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "books", "singular": "book", "kind": "Book", "listKind": "BookList"}
    spec = {"group": "shop.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    kinds = kinds_of({"metadata": {"name": "books.shop.example.com"}, "spec": spec})
    name = "com.example.shop.v1.Book"
    swagger = documents.document_v2(kinds)
    schemas = documents.document_v3(kinds)["components"]["schemas"]
    return schemas[name], swagger["definitions"][name], v2_protobuf.encode(swagger)


def test_bounds_of_custom_resources_are_in_protobuf_too() -> None:
    bounds = {
        "maximum": 1.5,
        "exclusiveMaximum": True,
        "minimum": -2,
        "exclusiveMinimum": False,
        "multipleOf": 0.5,
        "maxLength": 300,
        "minLength": 0,
        "pattern": "^a",
        "maxItems": 3,
        "minItems": -1,
        "uniqueItems": False,
        "maxProperties": 2,
        "minProperties": 1,
        "x-kubernetes-validations": [{"rule": "true"}],
    }
    _, swagger, encoded = _published({"type": "object", "properties": {"field": bounds}})
    assert swagger["properties"]["field"] == bounds
    document = {number: value for number, _, value in fields(encoded)}
    book = {number: value for number, _, value in fields(_named(document[9])["com.example.shop.v1.Book"])}
    found = {number: value for number, _, value in fields(_named(book[25])["field"])}
    numbers = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 31]
    assert sorted(found) == numbers
    doubles = [struct.unpack("<d", found[number])[0] for number in (6, 7, 9)]
    assert doubles == [0.5, 1.5, -2.0]
    assert [found[number] for number in (8, 10, 11, 12, 13, 14, 15, 16)] == [1, 0, 300, 0, b"^a", 3, 2**64 - 1, 0]


def test_what_swagger_cannot_say_of_custom_resources() -> None:
    anything = {"x-kubernetes-preserve-unknown-fields": True}
    fields_told = {
        "list": {"type": "array", "nullable": True, "items": {"type": "string"}},
        "open": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], **anything},
        "port": {"x-kubernetes-int-or-string": True},
        "pair": {
            "type": "object",
            "required": ["a", "b"],
            "properties": {"a": {"type": "string", "nullable": True}, "b": {"type": "string"}},
        },
        "map": {"type": "object", "required": ["a"], "additionalProperties": {"type": "string", "nullable": True}},
    }
    v3, v2, _ = _published({"type": "object", "properties": fields_told})
    assert v3["properties"]["port"] == {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
    }
    told = {name: v2["properties"][name] for name in fields_told}
    assert told == {
        "list": {},
        "open": {"required": ["a"], **anything},
        "port": {"x-kubernetes-int-or-string": True},
        "pair": {"type": "object", "required": ["b"], "properties": {"a": {}, "b": {"type": "string"}}},
        "map": {"type": "object", "additionalProperties": {}},
    }
    _, v2, _ = _published({"type": "object", "properties": {"spec": {"type": "object"}}, **anything})
    assert sorted(v2) == ["type", "x-kubernetes-group-version-kind"]


def test_embedded_objects_of_custom_resources_have_a_kind() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "required": ["kind"]}
    v3, v2, _ = _published(
        {
            "type": "object",
            "properties": {
                "template": embedded,
                "any": {**embedded, "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    )
    for document in (v3, v2):
        template = document["properties"]["template"]
        assert template["required"] == ["kind", "apiVersion"]
        assert sorted(template["properties"]) == ["apiVersion", "kind", "metadata"]
        assert template["properties"]["kind"]["description"].startswith("kind is a string")
    assert "properties" in v3["properties"]["any"]
    assert "properties" not in v2["properties"]["any"]


def test_version_3_tells_defaults_and_choices() -> None:
    schemas = documents.document_v3(_kinds("", "v1"))["components"]["schemas"]

    def field(schema: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = schemas[f"io.k8s.api.core.v1.{schema}"]["properties"][name]
        return found

    assert field("ContainerPort", "protocol")["default"] == "TCP"
    assert field("ContainerPort", "protocol")["enum"] == ["SCTP", "TCP", "UDP"]
    assert field("ContainerPort", "containerPort")["default"] == 0
    assert "default" not in field("ContainerPort", "name")
    assert field("Pod", "spec")["default"] == {}
    assert field("Pod", "spec")["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert "default" not in field("ServicePort", "targetPort")
    assert field("PersistentVolumeSpec", "accessModes")["items"]["enum"][0] == "ReadOnlyMany"
    assert "default" not in field("Secret", "data")


@pytest.mark.parametrize(
    ("group", "version", "groups"),
    [("", "v1", [""]), ("apps", "v1", ["", "apps"]), ("autoscaling", "v2", ["", "autoscaling"])],
)
def test_options_are_of_the_documents_group(group: str, version: str, groups: list[str]) -> None:
    schemas = documents.document_v3(_kinds(group, version))["components"]["schemas"]
    options = schemas["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]["x-kubernetes-group-version-kind"]
    assert [each["group"] for each in options] == groups


def test_answers_may_be_protobuf() -> None:
    paths = documents.document_v3(_kinds("apps", "v1"))["paths"]
    listed = paths["/apis/apps/v1/deployments"]["get"]["responses"]["200"]["content"]
    assert list(listed) == [
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "application/json;stream=watch",
        "application/vnd.kubernetes.protobuf;stream=watch",
    ]


def test_choices_are_the_constants_of_the_fields_types() -> None:
    core = documents.document_v3(_kinds("", "v1"))["components"]["schemas"]
    signals = core["io.k8s.api.core.v1.Lifecycle"]["properties"]["stopSignal"]["enum"]
    assert signals == sorted(signals)
    assert {"SIGTERM", "SIGRTMIN", "SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX"} <= set(signals)
    assert not {"SIGRTMIN+16", "SIGRTMAX-15"} & set(signals)
    families = core["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ipFamilies"]
    assert families["items"]["enum"] == ["", "IPv4", "IPv6"]  # of its elements
    resizes = core["io.k8s.api.core.v1.PersistentVolumeClaimStatus"]["properties"]["allocatedResourceStatuses"]
    assert "NodeResizePending" in resizes["additionalProperties"]["enum"]
    assert "enum" not in core["io.k8s.api.core.v1.Container"]["properties"]["restartPolicy"]  # not marked
    extensions = documents.document_v3(_kinds("apiextensions.k8s.io", "v1"))["components"]["schemas"]
    rule = extensions["io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule"]["properties"]
    assert "FieldValueForbidden" in rule["reason"]["enum"]


def test_descriptions_list_the_choices_of_the_field_itself(swagger: dict[str, Any]) -> None:
    for schemas in (documents.document_v3(_kinds("", "v1"))["components"]["schemas"], swagger["definitions"]):
        toleration = schemas["io.k8s.api.core.v1.Toleration"]["properties"]["operator"]
        assert toleration["enum"] == ["Equal", "Exists", "Gt", "Lt"]
        listed = toleration["description"].partition("\n\nPossible enum values:\n")[2].splitlines()
        assert [line.split()[1] for line in listed] == ['`"Equal"`', '`"Exists"`', '`"Gt"`', '`"Lt"`']
        families = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ipFamilies"]
        assert "Possible enum values" not in families["description"]
        assert "enum" in families["items"]


def test_each_choice_is_told_with_its_sentence_if_it_has_one() -> None:
    of = Choices(["*", "Cluster"], of_elements=False, sentences={"*": "means any."})
    assert of.describe("Where.") == 'Where.\n\nPossible enum values:\n - `"*"` means any.\n - `"Cluster"`'
    assert Choices(["*"], of_elements=True, sentences={"*": "means any."}).describe("Where.") == "Where."


def test_sentences_are_read_from_the_comments_of_declarations() -> None:
    declaration = """
export interface IRule {
    /**
     * What it is.
     */
    "kind"?: string;
    /**
     * Where it holds.
     *
     * Possible enum values:
     *  - `"\\*"` means any.
     *  - `"Bare"`
     *  - `"Cluster"` means "no `namespace`".
     */
    "scope"?: "*" | "Bare" | "Cluster";
}
"""
    assert dict(kubernetes_choice_sentences.fields(declaration)) == {
        "scope": {"*": "means any.", "Bare": "", "Cluster": 'means "no `namespace`".'}
    }


def _names_of(item: dict[str, Any]) -> list[str]:
    return [parameter["name"] for parameter in item.get("parameters", [])]


def test_parameters_of_all_operations_are_those_of_the_path() -> None:
    paths = documents.document_v3(_kinds("", "v1"))["paths"]
    everywhere = paths["/api/v1/pods"]  # only read
    assert {"continue", "pretty", "watch"} <= set(_names_of(everywhere))
    assert _names_of(everywhere) == sorted(_names_of(everywhere))
    assert "parameters" not in everywhere["get"]
    collection = paths["/api/v1/namespaces/{namespace}/pods"]
    assert _names_of(collection) == ["namespace", "pretty"]
    assert "pretty" not in _names_of(collection["get"])
    attach = paths["/api/v1/namespaces/{namespace}/pods/{name}/attach"]
    assert "pretty" not in _names_of(attach)
    assert next(each for each in attach["parameters"] if each["name"] == "name")["description"] == (
        "name of the PodAttachOptions"
    )


def test_a_version_says_where_its_resources_are_listed() -> None:
    get = documents.document_v3(_kinds("rbac.authorization.k8s.io", "v1"))["paths"][
        "/apis/rbac.authorization.k8s.io/v1/"
    ]["get"]
    assert get["operationId"] == "getRbacAuthorizationV1APIResources"
    assert get["tags"] == ["rbacAuthorization_v1"]
    assert "x-kubernetes-action" not in get


@pytest.mark.parametrize(
    ("group", "path", "answer"),
    [
        ("", "/api/v1/namespaces/{namespace}/services/{name}", "io.k8s.api.core.v1.Service"),
        ("", "/api/v1/namespaces/{namespace}/secrets/{name}", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        ("resource.k8s.io", "/apis/resource.k8s.io/v1/deviceclasses/{name}", "io.k8s.api.resource.v1.DeviceClass"),
        (
            "resource.k8s.io",
            "/apis/resource.k8s.io/v1/devicetaintrules/{name}",
            "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
        ),
    ],
)
def test_deletions_answer_with_what_they_say(group: str, path: str, answer: str) -> None:
    delete = documents.document_v3(_kinds(group, "v1"))["paths"][path]["delete"]
    schema = delete["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{answer}"}


def test_a_document_holds_no_more_than_its_operations_refer_to() -> None:
    schemas = documents.document_v3(_kinds("authentication.k8s.io", "v1"))["components"]["schemas"]
    assert "io.k8s.api.authentication.v1.TokenReview" in schemas
    assert not {name for name in schemas if name.endswith((".WatchEvent", ".DeleteOptions", ".Status"))}


def test_what_belongs_to_no_version_has_documents_of_its_own(swagger: dict[str, Any]) -> None:
    index = documents.index_v3(registry)["paths"]
    assert {"api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "openid/v1/jwks", "version"} <= set(index)
    general = general_paths(registry.all())
    document = documents.general_v3(general["version"])
    assert document["paths"]["/version/"]["get"]["operationId"] == "getCodeVersion"
    assert list(document["components"]["schemas"]) == ["io.k8s.apimachinery.pkg.version.Info"]
    group = documents.general_v3(general["apis/rbac.authorization.k8s.io"])["paths"]["/apis/rbac.authorization.k8s.io/"]
    assert group["get"]["operationId"] == "getRbacAuthorizationAPIGroup"
    assert {path.path for path in general.values()} <= set(swagger["paths"])
    assert len({entry["serverRelativeURL"].partition("?hash=")[2] for entry in index.values()}) == len(index)


def test_the_old_paths_of_watches_are_told() -> None:
    paths = documents.document_v3(_kinds("", "v1"))["paths"]
    told = {
        "/api/v1/watch/pods": ("watchCoreV1PodListForAllNamespaces", "watchlist"),
        "/api/v1/watch/namespaces/{namespace}/pods": ("watchCoreV1NamespacedPodList", "watchlist"),
        "/api/v1/watch/namespaces/{namespace}/pods/{name}": ("watchCoreV1NamespacedPod", "watch"),
        "/api/v1/watch/nodes": ("watchCoreV1NodeList", "watchlist"),
        "/api/v1/watch/nodes/{name}": ("watchCoreV1Node", "watch"),
    }
    for path, (identifier, action) in told.items():
        operation = paths[path]["get"]
        assert (operation["operationId"], operation["x-kubernetes-action"]) == (identifier, action)
        assert "deprecated: use the 'watch' parameter" in operation["description"]
        assert {"pretty", "watch", "resourceVersion"} < {each["name"] for each in paths[path]["parameters"]}
    assert not any("bindings" in path or "componentstatuses" in path for path in paths if "/watch/" in path)
