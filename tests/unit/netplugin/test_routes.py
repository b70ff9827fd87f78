"""Routes to other nodes' pods."""

from netplugin.links import Route
from netplugin.routes import desired_routes, route_changes
from tests.support.network_objects import node

CLUSTER = "10.244.0.0/16"


def test_every_other_node_has_a_route() -> None:
    nodes = [node("a", "192.0.2.1", "10.244.1.0/24"), node("b", "192.0.2.2", "10.244.2.0/24")]
    assert desired_routes(nodes, "a", CLUSTER) == {"10.244.2.0/24": "192.0.2.2"}


def test_nodes_that_are_not_there_yet_have_none() -> None:
    unready = node("b", "192.0.2.2", "10.244.2.0/24")
    del unready["status"]
    fresh = {"metadata": {"name": "c"}, "spec": {}, "status": {"addresses": []}}
    named = node("d", "host.example", "10.244.4.0/24")
    assert desired_routes([unready, fresh, named], "a", CLUSTER) == {}


def test_ranges_outside_the_clusters_are_refused() -> None:
    """A Node object must not draw the node's other traffic to itself."""
    for cidr in ("0.0.0.0/0", "192.0.2.0/24", "10.0.0.0/8", "fd00::/64", "nonsense"):
        assert desired_routes([node("b", "192.0.2.2", cidr)], "a", CLUSTER) == {}


def test_changes() -> None:
    present = [
        Route("10.244.2.0/24", "192.0.2.2", 3),
        Route("10.244.3.0/24", "192.0.2.3", 3),
        Route("10.244.4.0/24", "192.0.2.4", 3),
        Route("10.96.0.0/12", None, 7),  # ours, but no node's
        Route("172.16.0.0/16", "192.0.2.9", 3),  # another cluster's
    ]
    wanted = {"10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "192.0.2.33", "10.244.5.0/24": "192.0.2.5"}
    obsolete, missing = route_changes(present, wanted, CLUSTER)
    assert obsolete == [present[2]]
    assert missing == [Route("10.244.3.0/24", "192.0.2.33", 0), Route("10.244.5.0/24", "192.0.2.5", 0)]
    assert route_changes(present[:1], {"10.244.2.0/24": "192.0.2.2"}, CLUSTER) == ([], [])
