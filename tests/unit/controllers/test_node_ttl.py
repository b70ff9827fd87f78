"""How long nodes may keep what they read."""

from __future__ import annotations

import pytest

from kubeactors.controllers.node_ttl import STEPS, next_step


@pytest.mark.parametrize(
    ("before", "nodes", "seconds"),
    [(0, 0, 0), (0, 100, 0), (0, 101, 15), (15, 90, 15), (15, 89, 0), (0, 3000, 300), (300, 1800, 300), (300, 1, 0)],
)
def test_the_step_for_a_number_of_nodes(before: int, nodes: int, seconds: int) -> None:
    current = next(index for index, step in enumerate(STEPS) if step.seconds == before)
    assert STEPS[next_step(current, nodes)].seconds == seconds


def test_every_number_of_nodes_has_a_step() -> None:
    for nodes in range(2100):
        assert next_step(0, nodes) <= next_step(len(STEPS) - 1, nodes)
