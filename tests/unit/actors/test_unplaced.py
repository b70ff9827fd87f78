"""What is said of masters whose actors are not placed yet."""

from __future__ import annotations

from dataclasses import replace

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.machines import Machine
from kubeactors.actors.settings import CLUSTER, master_components
from kubeactors.actors.state import ClusterState
from kubeactors.actors.unplaced import unplaced

CONFIG = ClusterConfig()
FIRST, SECOND = "10.0.0.1", "10.0.0.2"
STATE = replace(ClusterState.found(Machine(FIRST, "one"), 2, ""), masters=(FIRST, SECOND))
OF_A_MASTER = {CLUSTER, *master_components(CONFIG)}


def test_a_master_that_was_just_chosen_is_not_healthy_yet() -> None:
    placed = {(component, FIRST) for component in OF_A_MASTER}
    found = list(unplaced(STATE, CONFIG, placed, {FIRST, SECOND}))
    assert {component for component, _, _ in found} == OF_A_MASTER
    assert {(address, reason) for _, address, reason in found} == {(SECOND, "not started yet")}


def test_a_master_that_is_away_is_said_to_be() -> None:
    placed = {(component, FIRST) for component in OF_A_MASTER}
    assert {reason for _, _, reason in unplaced(STATE, CONFIG, placed, {FIRST})} == {"the machine 10.0.0.2 is away"}


def test_nothing_is_said_where_all_is_placed() -> None:
    placed = {(component, address) for component in OF_A_MASTER for address in (FIRST, SECOND)}
    assert not list(unplaced(STATE, CONFIG, placed, {FIRST}))


def test_masters_have_no_store_where_another_is_named() -> None:
    external = replace(CONFIG, store_endpoints="http://192.0.2.1:2379")
    assert "store" not in {component for component, _, _ in unplaced(STATE, external, set(), set())}
