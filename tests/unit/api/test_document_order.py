from __future__ import annotations

from kubeactors.api.document_order import in_document_order
from kubeactors.api.schema.decoder import duplicate_field, unknown_field


def _sorted(body: bytes, problems: list[str], *names: str) -> list[str]:
    return in_document_order(body, problems, names, unknown_field, duplicate_field)


def test_a_duplicate_stands_where_the_field_comes_again() -> None:
    body = b'{"a": 1, "x": {"y": [0, {"z": 1}]}, "b": 2, "a": 3, "c": 4}'
    wanted = ['unknown field "x.y[1].z"', 'unknown field "b"', 'duplicate field "a"', 'unknown field "c"']
    assert _sorted(body, sorted(wanted), "a", "b", "c", "z") == wanted


def test_what_the_text_does_not_have_comes_last_and_strings_are_no_fields() -> None:
    body = b'{"l": ["unknown field \\"later\\""], "first": 1, "later": 1}'
    problems = ["something else", 'unknown field "later"', 'unknown field "first"']
    assert _sorted(body, problems, "later", "first") == [*reversed(problems[1:]), problems[0]]
