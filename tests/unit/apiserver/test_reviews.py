"""Reviews: who is this, and may they?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

POD: Object = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "ns"}}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_core(FakeStore()) as running:
        yield running


async def _ask(api: Api, resource: str, spec: Any = None, namespace: str = "", **body: Any) -> Object:
    made: Object = await api.create(resource, {"spec": spec or {}, **body}, namespace)
    return made


async def test_who_am_i(api: Api) -> None:
    made = await _ask(api, "selfsubjectreviews")
    assert made == {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"},
        "status": {"userInfo": {"username": "tester", "groups": ["system:authenticated"]}},
    }


async def test_tokens_that_nobody_knows(api: Api) -> None:
    made = await _ask(api, "tokenreviews", {"token": "rubbish"})
    assert made["status"] == {"user": {}, "error": "invalid bearer token"}
    with pytest.raises(StatusError, match="token is required for TokenReview in authentication") as caught:
        await _ask(api, "tokenreviews")
    assert caught.value.code == 400


async def test_may_they(api: Api) -> None:
    for user, allowed in (
        ({"user": "alice"}, False),
        ({"user": "alice", "groups": ["system:authenticated"]}, True),
        ({"groups": ["system:masters"]}, True),
    ):
        made = await _ask(api, "subjectaccessreviews", {**POD, **user})
        assert made["status"] == {"allowed": allowed}
        assert made["spec"] == {**POD, **user}
        local = await _ask(api, "localsubjectaccessreviews", {**POD, **user}, "ns")
        assert (local["status"], local["metadata"]) == ({"allowed": allowed}, {"namespace": "ns"})
    public = {"user": "alice", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    assert (await _ask(api, "subjectaccessreviews", public))["status"] == {"allowed": True}
    assert (await _ask(api, "selfsubjectaccessreviews", POD))["status"] == {"allowed": True}


async def test_what_clients_send_along_is_no_metadata(api: Api) -> None:
    metadata = {"creationTimestamp": None, "managedFields": []}
    made = await _ask(api, "selfsubjectaccessreviews", POD, metadata=metadata)
    assert made["status"] == {"allowed": True}


async def test_what_may_i(api: Api) -> None:
    made = await _ask(api, "selfsubjectrulesreviews", {"namespace": "ns"})
    assert made["spec"] == {}
    assert made["status"] == {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }
    with pytest.raises(StatusError, match="no namespace on request"):
        await _ask(api, "selfsubjectrulesreviews")


@pytest.mark.parametrize(
    ("resource", "body", "message"),
    [
        ("subjectaccessreviews", {"spec": POD}, 'spec.user: Invalid value: "": at least one of user or group'),
        ("subjectaccessreviews", {"spec": {"user": "a"}}, "spec.resourceAttributes: Invalid value: null: exactly one"),
        (
            "subjectaccessreviews",
            {"spec": {**POD, "user": "a", "nonResourceAttributes": {"path": "/x", "verb": "get"}}},
            'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: cannot be specified in combination',
        ),
        ("subjectaccessreviews", {"metadata": {"name": "x"}, "spec": {**POD, "user": "a"}}, "must be empty"),
        ("selfsubjectaccessreviews", {"spec": {}}, "exactly one of nonResourceAttributes or resourceAttributes"),
        (
            "selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": {"verb": "list", "fieldSelector": {}}}},
            "spec.resourceAttributes.fieldSelector.requirements: Required value",
        ),
        (
            "localsubjectaccessreviews",
            {"spec": {"user": "a", "resourceAttributes": {"namespace": "other"}}},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
        (
            "localsubjectaccessreviews",
            {"spec": {"user": "a", "nonResourceAttributes": {"path": "/x"}}},
            "disallowed on this kind of request",
        ),
    ],
)
async def test_questions_that_make_no_sense(api: Api, resource: str, body: Object, message: str) -> None:
    namespace = "ns" if resource.startswith("local") else ""
    with pytest.raises(StatusError) as caught:
        await api.create(resource, body, namespace)
    assert caught.value.code == 422
    assert message in caught.value.message
    assert caught.value.message.startswith('.authorization.k8s.io "" is invalid: ')


@pytest.mark.parametrize("verb", ["get", "list", "delete"])
async def test_reviews_are_not_kept(api: Api, verb: Any) -> None:
    with pytest.raises(StatusError) as caught:
        await api.call(verb, "subjectaccessreviews", name="" if verb == "list" else "x")
    assert caught.value.code == 405
