"""Machines keep their names, masters are added all at once, and an old state never replaces a newer one."""

from pathlib import Path

import pytest

from kubeactors.actors.machines import Machine
from kubeactors.actors.state import ClusterState, StateFile

ONE, TWO, THREE, FOUR = (Machine(f"10.0.0.{number}", "vm") for number in range(1, 5))


def founded(wanted: int = 1) -> ClusterState:
    return ClusterState.found(ONE, wanted, "10.0.0.1:6379")


def test_a_machine_keeps_its_name() -> None:
    state = founded().with_machines([TWO, ONE])
    assert state.names == {"10.0.0.1": "vm", "10.0.0.2": "vm-10-0-0-2"}
    again = state.with_machines([Machine("10.0.0.1", "renamed"), TWO])
    assert again is state


def test_masters_are_added_when_all_can_be() -> None:
    state = founded(3)
    assert state.with_masters([ONE]) is state
    assert state.with_masters([ONE, TWO]) is state
    grown = state.with_masters([FOUR, ONE, THREE, TWO])
    assert grown.masters == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert grown.generation == state.generation + 1
    assert grown.with_masters([ONE, TWO, THREE, FOUR]) is grown


def test_masters_can_be_raised_and_not_lowered() -> None:
    state = founded(1)
    assert state.with_masters([ONE, TWO, THREE]) is state
    raised = state.wanting(3).with_masters([ONE, TWO, THREE])
    assert len(raised.masters) == 3
    assert raised.wanting(3) is raised
    with pytest.raises(ValueError, match="cannot go back to 1"):
        raised.wanting(1)


def test_the_file_takes_what_is_newer(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "cluster.json")
    assert file.load() is None
    old = founded(3)
    new = old.with_masters([ONE, TWO, THREE])
    assert file.take(new)
    assert not file.take(old)
    assert file.load() == new
    # Another process writes it.
    newer = new.at("10.0.0.2:6379")
    assert StateFile(tmp_path / "cluster.json").take(newer)
    assert file.load() == newer


def test_the_file_forgets_a_cluster_that_is_gone(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "cluster.json")
    file.take(founded(3).with_masters([ONE, TWO, THREE]))
    fresh = founded(1)
    assert file.take(fresh)
    assert file.load() == fresh


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"id": "a", "generation": 1, "wanted": "x", "masters": [], "names": {}}']
)
def test_a_file_that_holds_no_state_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(ValueError, match=r"cluster\.json"):
        StateFile(tmp_path / "cluster.json").load()
