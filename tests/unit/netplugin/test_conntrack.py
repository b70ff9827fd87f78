"""Which tracked UDP flows end when rules change."""

import pytest

from netplugin.proxy.conntrack import Flow, stale_flows
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

VIP, NODE = Endpoint("10.96.0.10", 53), Endpoint("192.0.2.1", 30053)
OLD, NEW, DRAINING = (Endpoint(f"10.244.1.{number}", 5353) for number in (2, 3, 4))
FRONT, NODE_PORT = Frontend(*("10.96.0.10", "UDP", 53)), Frontend(ANY_LOCAL, "UDP", 30053)
RULE = Rule("dns", (NEW,), draining=(DRAINING,))


@pytest.mark.parametrize(
    ("target", "answers", "rules", "stale"),
    [
        (VIP, OLD, {FRONT: RULE}, True),
        (VIP, NEW, {FRONT: RULE}, False),
        (VIP, DRAINING, {FRONT: RULE}, False),
        (VIP, OLD, {FRONT: None}, True),
        (VIP, VIP, {FRONT: RULE}, True),  # began before there were endpoints
        (VIP, VIP, {FRONT: Rule("dns", ())}, False),
        (VIP, OLD, {FRONT: Rule("dns", ())}, True),
        (VIP, OLD, {}, False),  # a rule that did not change
        (NODE, OLD, {NODE_PORT: RULE}, True),
        (NODE, NEW, {NODE_PORT: RULE}, False),
        (NODE, NODE, {NODE_PORT: None}, False),  # a process of the node
        (NODE, OLD, {NODE_PORT: Rule("dns", (NEW,), internal=(NEW, OLD))}, False),
    ],
)
def test_stale_flows(target: Endpoint, answers: Endpoint, rules: dict[Frontend, Rule | None], stale: bool) -> None:
    flow = Flow(target, answers, b"")
    assert stale_flows([flow], rules) == ([flow] if stale else [])
