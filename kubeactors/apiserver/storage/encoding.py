"""The two byte forms of an object, and the cuts that turn one into the other.

Stored: the JSON document without kind, apiVersion and metadata.resourceVersion; its first bytes are `{"metadata":{`.
Item:   the stored form with the version in it: `{"metadata":{"resourceVersion":"7",…`. So lists carry objects.
Whole:  the item with kind and apiVersion in front, as a single object goes over the wire.

Nothing is decoded on the way from the store to the wire.
"""

from __future__ import annotations

from typing import Any

import orjson

from kubeactors.api.meta import Object

_START = b'{"metadata":{'
_SKIP = len(_START)
_ITEM_START = b'{"metadata":{"resourceVersion":"'
_ITEM_SKIP = len(_ITEM_START)
_LEFT_OUT = frozenset({"kind", "apiVersion", "metadata"})
# What clients may send and the server never keeps.
_LEFT_OUT_METADATA = frozenset({"resourceVersion"})


def to_stored(obj: Object) -> bytes:
    """Encode an object for the store. Its metadata must name it."""
    return orjson.dumps(_document(obj))


def to_typed_stored(obj: Object) -> bytes:
    """The same with apiVersion and kind at its end, since custom resources may be stored in several versions."""
    return orjson.dumps({**_document(obj), "apiVersion": obj["apiVersion"], "kind": obj["kind"]})


def _document(obj: Object) -> dict[str, Any]:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _LEFT_OUT_METADATA}
    document: dict[str, Any] = {"metadata": metadata}
    for key, value in obj.items():
        if key not in _LEFT_OUT:
            document[key] = value
    return document


def to_item(stored: bytes, revision: int) -> bytes:
    """The stored form with its version. Raises ValueError for bytes that this server did not write."""
    if not stored.startswith(_START) or stored[_SKIP : _SKIP + 1] == b"}":
        raise ValueError(f"not an object's stored form: {stored[:40]!r}")
    return b'{"metadata":{"resourceVersion":"%d",%b' % (revision, stored[_SKIP:])


def with_revision(item: bytes, revision: int) -> bytes:
    """The same item under another version (the event of a deletion bears the deletion's)."""
    return b'{"metadata":{"resourceVersion":"%d%b' % (revision, item[item.index(b'"', _ITEM_SKIP) :])


def stored_of(item: bytes) -> bytes:
    """The stored form of an item."""
    return _START + item[item.index(b'"', _ITEM_SKIP) + 2 :]


def wire_head(api_version: str, kind: str) -> bytes:
    """What stands before an item's bytes, less its brace, in the whole object."""
    return b'{"kind":%b,"apiVersion":%b,' % (orjson.dumps(kind), orjson.dumps(api_version))


def to_wire(head: bytes, item: bytes) -> bytes:
    """The whole object; `head` is `wire_head` of the kind."""
    return head + item[1:]


def decode_item(item: bytes, api_version: str, kind: str) -> Object:
    """A fresh dictionary of the whole object."""
    obj: Object = {"kind": kind, "apiVersion": api_version}
    obj.update(orjson.loads(item))
    return obj
