"""Members that are kept as the text that they were sent as."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from kubeactors.api.raw_extension import RawExtension, TextKept, changed, keep_text

_KEPT = TextKept("data")


def _read(text: str) -> dict[str, Any]:
    obj = orjson.loads(text)
    keep_text(obj, "data", text.encode())
    return dict(obj)


def _stored(obj: dict[str, Any]) -> dict[str, Any]:
    """The object as it comes back from the store."""
    back: dict[str, Any] = orjson.loads(orjson.dumps(_KEPT.to_stored(obj)))
    _KEPT.from_stored(back)
    return back


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"data":{"a":1}}', '{"a":1}'),
        ('{"kind": "x","data" : {"a": 1} , "b": [1, {}]}', '{"a": 1}'),
        ('{\n "data":\n{"\\"}": "a  b",\t"x": 1e3}\n}\n', '{"\\"}": "a  b",\t"x": 1000.0}'),
        ('{"data":{"\\u00e9":[1.50, true,-0]}}', '{"é":[1.5, true,0]}'),
        ('{"data":{"a":1},"data":{"b":2}}', '{"b":2}'),
        ('{"\\u0064ata":{"a": 1}}', '{"a": 1}'),
    ],
)
def test_the_text_is_found_and_comes_back(text: str, kept: str) -> None:
    obj = _read(text)
    assert isinstance(obj["data"], RawExtension) and obj["data"].text == kept
    back = _stored(obj)
    assert (back, back["data"].text) == (json.loads(text), kept)


def test_a_text_without_spaces_is_stored_once() -> None:
    assert set(_KEPT.to_stored(_read('{"data":{"a":1}}'))) == {"data"}


@pytest.mark.parametrize("data", ["null", "5", '"x"', "[1, 2]"])
def test_what_is_no_object_has_no_text(data: str) -> None:
    obj = _read(f'{{"data": {data}}}')
    assert _stored(obj) == obj
    assert not changed(orjson.loads(data), obj["data"])


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ('{"a": 1}', '{"a": 1}', False),
        ('{"a": 1}', '{"a":1}', True),
        ('{"a":1}', '{"a": 1}', True),
        ('{"a":1}', '{"a":2}', True),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', True),
    ],
)
def test_the_text_is_what_may_not_change(old: str, new: str, differs: bool) -> None:
    before, after = _stored(_read(f'{{"data":{old}}}'))["data"], _read(f'{{"data":{new}}}')["data"]
    assert changed(after, before) is differs


@pytest.mark.parametrize(
    ("old", "differs"),
    [('{"a":1}', False), ('{"b":1,"a":"x  y"}', False), ('{"a": 1}', True), ('{"a":1\n}', True), ('{"a":1e3}', False)],
)
def test_a_patch_takes_the_spaces(old: str, differs: bool) -> None:
    before = _stored(_read(f'{{"data":{old}}}'))["data"]
    assert changed(orjson.loads(old), before) is differs
