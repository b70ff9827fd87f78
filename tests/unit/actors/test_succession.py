"""Which masters come before this one."""

import pytest

from kubeactors.actors.machines import Machine
from kubeactors.actors.state import ClusterState
from kubeactors.actors.succession import earlier

MACHINES = [Machine(f"10.0.0.{number}", f"m{number}") for number in (1, 2, 3, 4)]
STATE = ClusterState.found(MACHINES[0], 3, "").with_machines(MACHINES).with_masters(MACHINES)


@pytest.mark.parametrize(
    ("address", "alive", "names"),
    [
        ("10.0.0.1", MACHINES, []),
        ("10.0.0.3", MACHINES, ["m1", "m2"]),
        ("10.0.0.3", MACHINES[1:], ["m2"]),
        ("10.0.0.2", MACHINES[1:], []),
        ("10.0.0.4", MACHINES, ["m1", "m2", "m3"]),  # a machine that is no master never acts while one is there
    ],
)
def test_those_before_it_that_live(address: str, alive: list[Machine], names: list[str]) -> None:
    assert earlier(STATE, address, alive) == names
