"""What clients may send is bounded: numbers, warnings."""

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.quantity import QuantityError, canonical
from kubeactors.apiserver.http.encode import warning_headers
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
