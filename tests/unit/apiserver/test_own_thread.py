"""What takes long is done beside the loop."""

from __future__ import annotations

import threading

import pytest

from kubeactors.api import allowance
from kubeactors.apiserver.own_thread import AT_ONCE, OwnThread


def where(cost: int) -> str:
    allowance.spend(cost)
    return threading.current_thread().name


async def test_only_what_is_long_leaves_the_loop() -> None:
    own = OwnThread()
    here = threading.current_thread().name
    try:
        assert await own.when_long(where, AT_ONCE) == here
        assert (await own.when_long(where, AT_ONCE + 1)).startswith("long-checks")
        assert (await own.run(where, 0)).startswith("long-checks")
    finally:
        own.close()


async def test_errors_come_back() -> None:
    def fails() -> None:
        allowance.spend(AT_ONCE + 1)
        raise ValueError("x")

    own = OwnThread()
    with pytest.raises(ValueError, match="x"):
        await own.when_long(fails)
    own.close()
    assert await own.run(where, 0), "it can be used again after an end"
    own.close()
