"""Which changes of membership are refused, case by case as in etcd's own tests of them."""

from __future__ import annotations

import pytest

from kubeactors.store.errors import BadMemberUrls, NotEnoughStarted, StoreError, Unhealthy
from kubeactors.store.machine.membership import Member, Membership
from kubeactors.store.reconfiguration import check_add, check_promote, check_remove, check_urls

SELF = 1


def cluster(*members: str) -> Membership:
    """`voter`, `voter?` (not started), `learner`, `learner?`; the first one is this member."""
    return Membership(
        Member(number, "" if kind.endswith("?") else f"m{number}", (f"http://h:{number}",), (), kind.startswith("l"))
        for number, kind in enumerate(members, start=1)
    )


@pytest.mark.parametrize(
    ("members", "learner", "links", "refusal"),
    [
        (["voter"], False, {}, None),
        (["voter?"], False, {}, NotEnoughStarted),
        (["voter", "voter?"], False, {2: 60.0}, NotEnoughStarted),
        (["voter", "voter?"], True, {}, None),
        (["voter", "voter"], False, {2: 60.0}, None),
        (["voter", "voter"], False, {2: 4.9}, Unhealthy),
        (["voter", "voter"], False, {}, Unhealthy),
        (["voter", "voter", "voter?"], False, {2: 60.0, 3: 60.0}, NotEnoughStarted),
        (["voter", "voter", "voter"], False, {2: 60.0}, Unhealthy),
        (["voter", "voter", "voter"], False, {2: 60.0, 3: 60.0}, None),
        (["voter", "learner?"], False, {}, None),
    ],
)
def test_adding(members: list[str], learner: bool, links: dict[int, float], refusal: type[StoreError] | None) -> None:
    membership = cluster(*members)
    expect(refusal, lambda: check_add(membership, learner, SELF, links.get))


@pytest.mark.parametrize(
    ("members", "gone", "links", "refusal"),
    [
        (["voter"], 1, {}, NotEnoughStarted),
        (["voter"], 99, {}, None),
        (["voter", "voter"], 2, {2: 60.0}, None),
        (["voter", "voter"], 2, {}, None),
        (["voter", "voter?"], 1, {}, NotEnoughStarted),
        (["voter", "voter?"], 2, {}, None),
        (["voter", "voter", "voter"], 3, {2: 60.0, 3: 60.0}, None),
        (["voter", "voter", "voter"], 3, {3: 60.0}, Unhealthy),
        (["voter", "voter", "voter"], 3, {2: 60.0}, None),
        (["voter", "voter", "voter", "voter?"], 3, {2: 60.0, 3: 60.0}, None),
        (["voter", "voter", "voter"], 1, {2: 60.0, 3: 60.0}, None),
        (["voter", "learner"], 2, {}, None),
    ],
)
def test_removing(members: list[str], gone: int, links: dict[int, float], refusal: type[StoreError] | None) -> None:
    membership = cluster(*members)
    expect(refusal, lambda: check_remove(membership, gone, SELF, links.get))


@pytest.mark.parametrize(
    ("members", "member", "refusal"),
    [
        (["voter", "learner"], 2, None),
        (["voter?", "voter?", "learner"], 3, NotEnoughStarted),
        (["voter", "voter?", "learner"], 3, None),
        (["voter", "voter"], 2, None),
        (["voter"], 99, None),
    ],
)
def test_promoting(members: list[str], member: int, refusal: type[StoreError] | None) -> None:
    """What is no learner or no member is refused when the change is carried out."""
    membership = cluster(*members)
    expect(refusal, lambda: check_promote(membership, member))


@pytest.mark.parametrize(
    ("urls", "good"),
    [
        (["http://127.0.0.1:2380"], True),
        (["https://[::1]:2380", "https://a.example:1"], True),
        ([], False),
        (["127.0.0.1:2380"], False),
        (["http://127.0.0.1"], False),
        (["http://127.0.0.1:2380/path"], False),
        (["ftp://127.0.0.1:2380"], False),
        (["http://127.0.0.1:port"], False),
        (["http://127.0.0.1:2380", ""], False),
    ],
)
def test_urls(urls: list[str], good: bool) -> None:
    expect(None if good else BadMemberUrls, lambda: check_urls(urls))


def expect(refusal: type[StoreError] | None, check) -> None:  # type: ignore[no-untyped-def]
    if refusal is None:
        check()
    else:
        with pytest.raises(refusal):
            check()
