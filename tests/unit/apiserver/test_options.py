import base64

import pytest

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.options import parse_query, parse_version
from kubeactors.apiserver.registry.names import generate_name
from kubeactors.apiserver.registry.paging import decode_continue, encode_continue
from kubeactors.apiserver.request import NO_OPTIONS, IncludeObject, LogOptions, Options
from kubeactors.apiserver.storage.compaction import Compactor
from tests.support.fake_store import FakeStore


def test_query() -> None:
    assert parse_query([]) is NO_OPTIONS
    assert parse_query([("foo", "bar"), ("pretty", "1")]) is NO_OPTIONS
    found = parse_query(
        [("limit", "5"), ("limit", "6"), ("dryRun", "All"), ("includeObject", "None"), ("allowWatchBookmarks", "0")]
    )
    assert found == Options(limit=5, dry_run=("All",), include_object=IncludeObject.NONE, allow_watch_bookmarks=False)
    assert parse_query([("tailLines", "3"), ("follow", "true")], logs=True).log == LogOptions(tail_lines=3, follow=True)
    assert parse_query([("tailLines", "3")]) is NO_OPTIONS


@pytest.mark.parametrize("query", [("limit", "x"), ("timeoutSeconds", "1.5"), ("includeObject", "Everything")])
def test_values_that_cannot_be_read(query: tuple[str, str]) -> None:
    with pytest.raises(StatusError) as raised:
        parse_query([query])
    assert raised.value.code == 400


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x", 'parsing "x": invalid syntax'),
        ("1.5", 'parsing "1.5": invalid syntax'),
        ("9223372036854775808", 'parsing "9223372036854775808": value out of range'),
        ("9" * 5000, "value out of range"),
    ],
)
def test_numbers_that_are_none_are_refused_in_go_s_words(text: str, problem: str) -> None:
    with pytest.raises(StatusError, match=problem):
        parse_query([("limit", text)])


def test_versions() -> None:
    assert (parse_version(""), parse_version("0"), parse_version("17")) == (0, 0, 17)
    for text in ("x", "-1", "1.0", "\u0661"):
        with pytest.raises(StatusError, match=r"invalid resource version: .*: invalid syntax"):
            parse_version(text)
    for text in ("18446744073709551616", "9" * 5000):
        with pytest.raises(StatusError, match="value out of range"):
            parse_version(text)


def test_continue_tokens() -> None:
    assert decode_continue(encode_continue("ns/a", 12)) == ("ns/a\0", 12)
    # What client libraries have in their tests: {"v":"meta.k8s.io/v1","rv":1,"start":"a"}
    assert decode_continue("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0") == ("a", 1)


@pytest.mark.parametrize(
    "document",
    [
        '{"v":"meta.k8s.io/v1","rv":0,"start":"a"}',
        '{"v":"meta.k8s.io/v1","rv":1,"start":""}',
        '{"v":"meta.k8s.io/v1","rv":1,"start":"../pods/x"}',
        '{"v":"meta.k8s.io/v1","rv":1,"start":"a//b"}',
        '{"v":"meta.k8s.io/v1","rv":1,"start":"a/"}',
        '{"v":"meta.k8s.io/v1","rv":true,"start":"a"}',
        '{"v":"meta.k8s.io/v1","rv":9223372036854775808,"start":"a"}',
        '{"v":"meta.k8s.io/v1","rv":"1","start":"a"}',
        '{"v":"v0","rv":1,"start":"a"}',
        "[]",
        "nonsense",
    ],
)
def test_continue_tokens_that_are_refused(document: str) -> None:
    with pytest.raises(StatusError, match="invalid continue token"):
        decode_continue(base64.urlsafe_b64encode(document.encode()).decode())


def test_generated_names_are_labels() -> None:
    assert len(generate_name("x" * 70)) == 63
    assert generate_name("g-") != generate_name("g-")


async def test_the_store_is_compacted_by_one_server_an_interval_late() -> None:
    store = FakeStore(revision=10)
    one, other = Compactor(store, interval=1), Compactor(store, interval=1)
    await one.step()
    await other.step()
    assert store.compacted == 0, "nothing is known to be old yet"
    seen = store.current
    for _ in range(10):
        store.put(b"/registry/x", b"")
    await one.step()
    assert store.compacted == seen, "what was current one interval ago"
    compacted = store.compacted
    await other.step()
    assert store.compacted == compacted, "the other server sees that it is done"
    await one.step()
    assert compacted < store.compacted < store.current
