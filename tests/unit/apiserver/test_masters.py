"""The endpoints of default/kubernetes are the API servers that hold a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from kubeactors.api import errors
from kubeactors.apiserver.masters import PREFIX, MasterLeases
from kubeactors.store.errors import StoreUnavailable
from tests.support.fake_store import FakeStore


class Published:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.fails = False

    async def __call__(self, addresses: Sequence[str]) -> None:
        if self.fails:
            raise errors.conflict("endpoints", "kubernetes", "changed")
        self.lists.append([*addresses])


async def test_all_that_are_alive_are_published() -> None:
    store, published = FakeStore(), Published()
    one, two = (MasterLeases(store, address, published) for address in ("192.0.2.2", "192.0.2.1"))
    await one.reconcile()
    await two.reconcile()
    assert published.lists == [["192.0.2.2"], ["192.0.2.1", "192.0.2.2"]]
    store.expire(1)  # the first has died
    await two.reconcile()
    assert published.lists[-1] == ["192.0.2.1"]
    await one.reconcile()  # it is back, or was only slow
    assert published.lists[-1] == ["192.0.2.1", "192.0.2.2"]


async def test_a_round_without_news_writes_nothing() -> None:
    store = FakeStore()
    leases = MasterLeases(store, "192.0.2.1", Published())
    await leases.reconcile()
    revision = store.current
    await leases.reconcile()
    assert store.current == revision
    assert store.leases == 1


@pytest.mark.looptime
async def test_it_goes_on_after_failures_and_takes_itself_off_in_the_end() -> None:
    store, published = FakeStore(), Published()
    other = MasterLeases(store, "192.0.2.9", published)
    await other.reconcile()
    leases = MasterLeases(store, "192.0.2.1", published)
    published.fails = True
    await leases.start()
    store.fail_next(StoreUnavailable("away", outcome_unknown=False))
    await asyncio.sleep(11)
    published.fails = False
    await asyncio.sleep(10)
    assert published.lists[-1] == ["192.0.2.1", "192.0.2.9"]
    await leases.stop()
    assert published.lists[-1] == ["192.0.2.9"]
    assert store.keys(PREFIX) == [PREFIX + b"192.0.2.9"]


async def test_the_last_server_leaves_its_entry() -> None:
    store, published = FakeStore(), Published()
    leases = MasterLeases(store, "192.0.2.1", published)
    await leases.start()
    await leases.stop()
    assert published.lists == [["192.0.2.1"]]


async def test_a_loopback_address_is_not_published() -> None:
    store, published = FakeStore(), Published()
    leases = MasterLeases(store, "127.0.0.1", published)
    await leases.start()
    await leases.stop()
    assert published.lists == []
    assert store.keys(PREFIX) == []
