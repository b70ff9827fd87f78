"""What is accepted can be read back, written again without a change, and said in other encodings."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import yaml

from tests.fuzz import samples
from tests.fuzz.bodies import Bodies
from tests.fuzz.checks import check
from tests.fuzz.choices import Choices
from tests.fuzz.client import Answer, Client
from tests.fuzz.conftest import NAMESPACE
from tests.fuzz.documents import Documents
from tests.fuzz.effort import attempt

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
#: Kinds whose objects change by themselves, or are never kept.
_LIVELY = {"customresourcedefinitions", "apiservices", "servicecidrs", "namespaces"}
_REVIEWS = ("authentication.k8s.io/v1", "authorization.k8s.io/v1")
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Case:
    collection: str
    body: dict[str, Any]

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.body['metadata']['name']}"


def test_accepted_objects(client: Client, served: Documents) -> None:
    for group_version, plural in samples.SAMPLES:
        if plural in _LIVELY or group_version in _REVIEWS:
            continue
        collection = _collection(served, group_version, plural)
        schema = next(each.body for each in served.operations if (each.method, each.path) == ("POST", collection))
        collection = collection.replace("{namespace}", NAMESPACE)

        def make(choose: Choices, plural: str = plural, group_version: str = group_version, schema: Any = schema,
                 collection: str = collection) -> Case:  # fmt: skip
            body = samples.sample(group_version, plural, "a", NAMESPACE)
            body = Bodies(served, choose).bend(body, schema, choose.below(4))
            if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
                body = {"metadata": {}}
            for server_set in (
                "resourceVersion",
                "uid",
                "generateName",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            ):
                body["metadata"].pop(server_set, None)
            body["metadata"]["name"] = samples.NAMES.get(plural, f"r-{plural}")
            body["metadata"].pop("finalizers", None)
            return Case(collection, body)

        attempt(f"round trip of {group_version} {plural}", make, lambda case: _survives(client, case), 3, 100)


def _survives(client: Client, case: Case) -> None:
    _remove(client, case)
    text = json.dumps(case.body, separators=(",", ":")).encode()  # the data of a revision are the text that was sent
    made = check(client.request("POST", case.collection, text), case)
    if made.status != 201:
        return
    stored = made.json()
    assert _read(client, case) == stored, f"{case} is read as something else"
    in_yaml = client.request("GET", case.path, headers=[("Accept", YAML)])
    assert yaml.load(in_yaml.body, yaml.CSafeLoader) == stored, f"{case} is something else in YAML: {in_yaml.body!r}"
    packed = client.request("GET", case.path, headers=[("Accept", PROTOBUF)])
    for method, content_type, body in (
        ("PUT", "application/json", made.body),
        ("PUT", YAML, in_yaml.body),
        ("PUT", PROTOBUF, packed.body),
        ("PATCH", "application/merge-patch+json", b"{}"),
        ("PATCH", "application/json-patch+json", b"[]"),
        ("PATCH", "application/merge-patch+json", made.body),
    ):
        if "merge" in content_type and b":null" in body:
            continue  # means: leave it out
        if content_type == PROTOBUF and packed.status == 406:
            continue  # custom resources have no such form
        again = check(client.request(method, case.path, body, content_type=content_type), case)
        _same(again, stored, f"{method} of {content_type} changed {case}")
    _remove(client, case)
    _encodings(client, case, text)
    _applied(client, case, stored)


def _encodings(client: Client, case: Case, text: bytes) -> None:
    """JSON and YAML of the same object are taken for the same."""
    target = case.collection + "?dryRun=All"
    in_json = check(client.request("POST", target, text), case)
    in_yaml = check(client.request("POST", target, _as_yaml(case.body), content_type=YAML), case)
    assert in_json.status == in_yaml.status == 201, f"{case}: {in_json} {in_yaml}"
    assert _without_identity(in_json.json()) == _without_identity(in_yaml.json()), f"{case} differs in YAML"


def _applied(client: Client, case: Case, stored: dict[str, Any]) -> None:
    """Applying twice is applying once."""
    body = {**case.body, "apiVersion": stored["apiVersion"], "kind": stored["kind"]}
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    target = case.path + "?fieldManager=a"
    once = check(client.request("PATCH", target, json.dumps(body).encode(), content_type=_APPLY), case)
    # Who has applied nothing that can be owned is not known for one who applies.
    if once.status == 201 and "managedFields" in once.json()["metadata"]:
        again = check(client.request("PATCH", target, json.dumps(body).encode(), content_type=_APPLY), case)
        _same(again, once.json(), f"applying again changed {case}")
        _remove(client, case)


def _same(answer: Answer, stored: dict[str, Any], about: str) -> None:
    assert answer.status == 200, f"{about}: {answer}"
    assert answer.json() == stored, f"{about}: {answer.body!r}, was {json.dumps(stored)}"


def _read(client: Client, case: Case) -> Any:
    answer = client.request("GET", case.path)
    assert answer.status == 200, answer
    return answer.json()


def _remove(client: Client, case: Case) -> None:
    client.request("PATCH", case.path, b'{"metadata":{"finalizers":null}}', content_type="application/merge-patch+json")
    client.request("DELETE", case.path, b'{"gracePeriodSeconds":0}')
    answer = client.request("GET", case.path)
    if answer.status == 200 and answer.json()["metadata"].get("deletionTimestamp"):
        client.request(
            "PATCH", case.path, b'{"metadata":{"finalizers":null}}', content_type="application/merge-patch+json"
        )


class _Quoting(yaml.CSafeDumper):
    """Puts every text in quotes: what stands without them is another matter."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _as_yaml(value: Any) -> bytes:
    text: bytes = yaml.dump(value, Dumper=_Quoting, allow_unicode=True, encoding="utf-8")
    return text


def _without_identity(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        key: value
        for key, value in obj["metadata"].items()
        if key not in ("uid", "creationTimestamp", "managedFields", "resourceVersion")
    }
    text = json.dumps({**obj, "metadata": metadata}).replace(str(obj["metadata"].get("uid")), str(uuid.UUID(int=0)))
    without: dict[str, Any] = json.loads(text)
    return without


def _collection(served: Documents, group_version: str, plural: str) -> str:
    prefix = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    paths = {each.path for each in served.operations if each.method == "POST"}
    return next(path for path in (f"{prefix}/namespaces/{{namespace}}/{plural}", f"{prefix}/{plural}") if path in paths)
