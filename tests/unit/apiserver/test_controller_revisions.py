"""ControllerRevisions, whose data stay the text that they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.request import JSON_PATCH, STRATEGIC_PATCH
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore

REVISIONS = "controllerrevisions"
LABELS = {"metadata": {"labels": {"a": "b"}}}
FROZEN = 'data: Invalid value: {"a":1}: field is immutable'


async def _made(api: Api, spaced: bool, **metadata: Any) -> Any:
    obj = {"metadata": metadata or {"name": "r"}, "revision": 1, "data": {"a": 1}}
    body = json.dumps(obj, separators=None if spaced else (",", ":")).encode()
    return await api.call("create", REVISIONS, namespace="ns", body=body)


async def test_no_patch_has_the_spaces_that_were_sent() -> None:
    async with running_core(FakeStore()) as api:
        made = await _made(api, spaced=True)
        assert made["data"] == {"a": 1}
        for content_type, patch in (
            (STRATEGIC_PATCH, LABELS),
            (STRATEGIC_PATCH, {"revision": 2}),
            (JSON_PATCH, [{"op": "replace", "path": "/revision", "value": 2}]),
        ):
            with pytest.raises(StatusError) as raised:
                await api.patch(REVISIONS, "r", patch, "ns", content_type=content_type)
            assert raised.value.message == f'ControllerRevision.apps "r" is invalid: {FROZEN}'
        with pytest.raises(StatusError, match="field is immutable"):
            await api.update(REVISIONS, {**made, "revision": 2})
        spaced = json.dumps({**made, "revision": 2}).encode()
        changed = await api.call("update", REVISIONS, namespace="ns", name="r", body=spaced)
        assert (changed["revision"], set(changed)) == (2, set(made))


async def test_without_spaces_all_but_the_data_may_change() -> None:
    async with running_core(FakeStore()) as api:
        made = await _made(api, spaced=False)
        patched = await api.patch(REVISIONS, "r", LABELS, "ns", content_type=STRATEGIC_PATCH)
        assert patched["metadata"]["labels"] == {"a": "b"}
        assert (await api.update(REVISIONS, {**patched, "revision": 3}))["revision"] == 3
        with pytest.raises(StatusError, match="field is immutable"):
            await api.update(REVISIONS, {**made, "data": {"a": 2}, "metadata": {"name": "r", "namespace": "ns"}})


async def test_the_text_is_kept_under_a_generated_name_and_is_not_shown() -> None:
    store = FakeStore()
    async with running_core(store) as api:
        made = await _made(api, spaced=True, generateName="r-")
        name = made["metadata"]["name"]
        stored = store.value(f"/registry/{REVISIONS}/ns/{name}".encode())
        assert stored is not None and json.loads(stored)["dataText"] == '{"a": 1}'
        (listed,) = (await api.list(REVISIONS, "ns"))["items"]
        assert listed["data"] == {"a": 1} and "dataText" not in listed
        assert await api.get(REVISIONS, name, "ns") == made
        with pytest.raises(StatusError, match="field is immutable"):
            await api.patch(REVISIONS, name, LABELS, "ns", content_type=STRATEGIC_PATCH)
