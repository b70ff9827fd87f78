"""What clients may send is bounded: numbers, warnings."""

import re

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.quantity import QuantityError, canonical
from kubeactors.apiserver.http.encode import warning_headers
from kubeactors.apiserver.http.query import split_target
from kubeactors.apiserver.options import parse_query
from tests.support.api_core import running_core
from tests.support.fake_store import FakeStore


def test_a_quantity_has_no_million_digits() -> None:
    assert canonical("9" * 30) == str(2**63 - 1)
    with pytest.raises(QuantityError):
        canonical("9" * 1_000_000)


def test_warnings_are_shortened_before_they_are_left_out() -> None:
    assert warning_headers(['a "b"']) == (("Warning", '299 - "a \\"b\\""'),)
    assert len(warning_headers(["x" * 4000])[0][1]) > 4000
    headers = warning_headers(["x" * 1000] * 100)
    assert len(headers) == 16
    assert {len(text) for _, text in headers} == {len('299 - ""') + 256}


@pytest.mark.parametrize("name", ["%", "a/b", ".", "..", "a%2fb"])
async def test_names_are_one_segment_of_a_path(name: str) -> None:
    async with running_core(FakeStore(revision=100)) as api:
        for verb in ("get", "delete"):
            with pytest.raises(StatusError, match=f"^Name parameter invalid: {re.escape(go_quote(name))}: may not "):
                await api.call(verb, "configmaps", name=name, namespace="ns")
        with pytest.raises(StatusError, match=r"^Namespace parameter invalid: ") as raised:
            await api.get("configmaps", "a", "ns/b")
        assert raised.value.code == 400


def test_targets_are_taken_apart_as_gos() -> None:
    assert split_target("http://other.example/api/v1?x=1").segments == ["api", "v1"]
    assert split_target("/x?a=%zz&b=1&c=2;d=3&e=%20").query.pairs == (("b", "1"), ("e", " "))
    for path in ("/%", "/a%2", "/%zz"):
        with pytest.raises(ValueError, match="escape"):
            split_target(path)


@pytest.mark.parametrize("text", ["x", "99999999999999999999", "1_0", " 1", "\u0663", "1.0"])
def test_numbers_of_a_query_are_gos(text: str) -> None:
    with pytest.raises(StatusError) as raised:
        parse_query([("limit", text)])
    assert raised.value.code == 400


async def test_the_largest_limit() -> None:
    async with running_core(FakeStore(revision=100)) as api:
        await api.config_map("a")
        found = await api.list("configmaps", "ns", limit=2**63 - 1)
        assert [item["metadata"]["name"] for item in found["items"]] == ["a"]
