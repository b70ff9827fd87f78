"""Machines keep their node names, whatever Ray's node ids do."""

import pytest

from kubeactors.actors.machines import Machine, alive_machines, assign_name


def test_dead_ray_nodes_are_no_machines() -> None:
    nodes = [
        {"NodeManagerAddress": "10.0.0.1", "NodeManagerHostname": "a", "Alive": True},
        {"NodeManagerAddress": "10.0.0.2", "NodeManagerHostname": "b", "Alive": False},
    ]
    assert alive_machines(nodes) == [Machine("10.0.0.1", "a")]


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("Worker_1.example.org", "worker-1.example.org"), ("vm", "vm"), ("-.-", "node")],
)
def test_a_node_name_is_a_valid_form_of_the_host_name(hostname: str, name: str) -> None:
    assert assign_name(Machine("10.0.0.1", hostname), {}) == name


def test_machines_of_one_host_name_differ_by_address() -> None:
    assert assign_name(Machine("10.0.0.2", "vm"), {"10.0.0.1": "vm"}) == "vm-10-0-0-2"
