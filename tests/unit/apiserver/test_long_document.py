"""Long lists are made piece by piece and are the same as if they were made at once."""

from __future__ import annotations

import json

import pytest

from kubeactors.apiserver.long_document import LongDocument


@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_the_pieces_are_the_document(count: int) -> None:
    items = [b'{"name":"%d","filling":"%b"}' % (number, b"x" * 1000) for number in range(count)]
    document = LongDocument(b'{"items":[', items, b"]}\n")
    pieces = list(document.pieces())
    assert b"".join(pieces) == b'{"items":[' + b",".join(items) + b"]}\n" == document.whole()
    assert document.size == len(document) == sum(map(len, pieces))
    assert len(pieces) == (1 if count < 3 else 6)
    assert len(json.loads(document.whole())["items"]) == count


def test_items_that_are_long_themselves_go_one_by_one() -> None:
    items = [b'"%b"' % (b"x" * 1_000_000)] * 3
    assert [len(piece) for piece in LongDocument(b"[", items, b"]").pieces()] == [1_000_004, 1_000_003, 1_000_003]
