"""Lists as Table and PartialObjectMetadataList: what is kept for the next list is right for it."""

from typing import Any

import orjson

from kubeactors.apiserver.request import Form, IncludeObject, Options
from tests.support.api_core import Api, running_core
from tests.support.fake_store import FakeStore


async def _list(api: Api, form: Form, **options: Any) -> Any:
    response = await api.request("list", "pods", namespace="ns", form=form, options=Options(**options))
    return orjson.loads(response.body)


async def test_tables_from_the_cache_and_from_the_store_are_the_same() -> None:
    async with running_core(FakeStore()) as api:
        for name in ("a", "b"):
            await api.pod(name, nodeName="n")
        for include in IncludeObject:
            cached = [await _list(api, Form.TABLE, include_object=include) for _ in range(2)]
            stored = await _list(
                api,
                Form.TABLE,
                include_object=include,
                resource_version=cached[0]["metadata"]["resourceVersion"],
                resource_version_match="Exact",
            )
            assert cached[0] == cached[1] == stored
            assert [row["cells"][0] for row in stored["rows"]] == ["a", "b"]
            shown = {IncludeObject.NONE: None, IncludeObject.METADATA: "PartialObjectMetadata"}.get(include, "Pod")
            assert [(row["object"] or {}).get("kind") for row in stored["rows"]] == [shown, shown]


async def test_a_changed_object_has_another_row() -> None:
    async with running_core(FakeStore()) as api:
        await api.pod("a", nodeName="n")
        before = await _list(api, Form.TABLE)
        await api.patch("pods", "a", {"metadata": {"labels": {"x": "y"}}, "status": {}}, "ns")
        after = await _list(api, Form.TABLE)
        assert "x" not in (before["rows"][0]["object"]["metadata"].get("labels") or {})
        assert after["rows"][0]["object"]["metadata"]["labels"] == {"x": "y"}
        assert after["rows"][0]["object"]["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_metadata_of_lists_is_the_objects_own() -> None:
    async with running_core(FakeStore()) as api:
        made = await api.pod("a")
        for _ in range(2):
            partial = await _list(api, Form.PARTIAL)
            assert partial["items"] == [
                {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": made["metadata"],
                }
            ]
        empty = await _list(api, Form.PARTIAL, label_selector="none=such")
        assert empty["items"] is None
        assert (await _list(api, Form.TABLE, label_selector="none=such"))["rows"] == []
