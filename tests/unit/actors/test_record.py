"""Changes of the cluster's state meet in the API, and none undoes another."""

from __future__ import annotations

from typing import Any

import pytest

from kubeactors.actors.machines import Machine
from kubeactors.actors.record import KEY, ClusterRecord, state_of
from kubeactors.actors.state import ClusterState
from kubeactors.api import errors
from kubeactors.api.errors import StatusError

ONE, TWO, THREE = (Machine(f"10.0.0.{number}", f"m{number}") for number in (1, 2, 3))


class Api:
    """Holds one ConfigMap, as an AsyncClient sees it. `meddle` is done once, between a read and the write after it."""

    def __init__(self) -> None:
        self.held: dict[str, Any] | None = None
        self.meddle: ClusterState | None = None
        self.writes = 0

    async def get(self, resource: str, name: str, namespace: str, *, timeout: float) -> dict[str, Any]:
        if self.held is None:
            raise errors.not_found(resource, name)
        return {**self.held}

    async def create(self, resource: str, obj: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        self._meddle()
        if self.held is not None:
            raise errors.already_exists(resource, obj["metadata"]["name"])
        return self._write(obj)

    async def update(self, resource: str, obj: dict[str, Any]) -> dict[str, Any]:
        self._meddle()
        assert self.held is not None
        if obj["metadata"]["resourceVersion"] != self.held["metadata"]["resourceVersion"]:
            raise errors.conflict(resource, "kubeactors", "changed")
        return self._write(obj)

    def _write(self, obj: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        self.held = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.writes)}}
        return self.held

    def _meddle(self) -> None:
        if self.meddle is not None:
            state, self.meddle = self.meddle, None
            self._write({"metadata": {}, "data": {KEY: state.to_json()}})

    @property
    def state(self) -> ClusterState:
        assert self.held is not None
        return state_of(self.held)


def record(api: Api) -> ClusterRecord:
    return ClusterRecord(api)  # type: ignore[arg-type]


FOUNDED = ClusterState.found(ONE, 3, "")


async def test_the_first_writes_what_it_knows() -> None:
    api = Api()
    assert await record(api).change(FOUNDED, lambda state: state) == FOUNDED
    assert api.state == FOUNDED
    await record(api).change(FOUNDED, lambda state: state)
    assert api.writes == 1


@pytest.mark.parametrize("there", [False, True])
async def test_two_changes_at_once_are_both_made(there: bool) -> None:
    api = Api()
    if there:
        await record(api).change(FOUNDED, lambda state: state)
    api.meddle = FOUNDED.with_machines([TWO])
    result = await record(api).change(FOUNDED, lambda state: state.with_machines([THREE]))
    assert result == api.state
    assert set(result.names.values()) == {"m1", "m2", "m3"}


async def test_a_newer_copy_heals_a_record_that_was_restored_from_a_snapshot() -> None:
    api = Api()
    await record(api).change(FOUNDED, lambda state: state)
    newer = FOUNDED.with_machines([TWO, THREE]).with_masters([ONE, TWO, THREE])
    assert await record(api).change(newer, lambda state: state) == newer
    assert api.state == newer
    assert await record(api).change(FOUNDED, lambda state: state) == newer


async def test_something_that_is_no_state_is_replaced() -> None:
    api = Api()
    api._write({"metadata": {}, "data": {KEY: "nonsense", "other": "kept"}})
    await record(api).change(FOUNDED, lambda state: state)
    assert api.state == FOUNDED
    assert api.held is not None
    assert api.held["data"]["other"] == "kept"


async def test_an_api_server_s_refusal_is_raised() -> None:
    class Refusing(Api):
        async def get(self, resource: str, name: str, namespace: str, *, timeout: float) -> dict[str, Any]:
            raise errors.service_unavailable("the store is away")

    with pytest.raises(StatusError, match="store is away"):
        await record(Refusing()).change(FOUNDED, lambda state: state)
