"""The desired service table."""

from typing import Any

from netplugin.interface import HostPort
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule, Rules, host_port_rules, merge, service_rules
from tests.support import network_objects as objects
from tests.support.network_objects import endpoint, endpoint_slice, service, terminating

VIP = "10.96.0.1"
FRONT = Frontend(VIP, "TCP", 80)
NODE_PORT = Frontend(ANY_LOCAL, "TCP", 30080)
PORT = {"port": 80, "protocol": "TCP", "nodePort": 30080}


def rules(svc: objects.Object, *slices: objects.Object, node: str = "a") -> Rules:
    return service_rules(svc, slices, node)


def one(*endpoints: objects.Object, **spec: Any) -> Rule:
    return rules(service("web", VIP, PORT, **spec), endpoint_slice("web", endpoints))[FRONT]


def outside(*endpoints: objects.Object, node: str = "a", **spec: Any) -> Rule:
    svc = service("web", VIP, PORT, type="NodePort", **spec)
    return rules(svc, endpoint_slice("web", endpoints), node=node)[NODE_PORT]


def addresses(rule: Rule) -> list[str]:
    return [found.address for found in rule.endpoints]


def test_cluster_ip() -> None:
    rule = one(endpoint("10.244.1.3"), endpoint("10.244.1.2", "b"))
    assert rule.service == "default/web:80"
    assert rule.endpoints == (Endpoint("10.244.1.2", 8080), Endpoint("10.244.1.3", 8080))
    assert rule.local == {"10.244.1.3"}
    assert rule.masquerade == "outsiders"
    assert rule.dedicated


def test_services_without_addresses_have_no_rules() -> None:
    for svc in (
        service("web", "None"),
        service("web", ""),
        service("web", VIP, type="ExternalName"),
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {}},
    ):
        assert rules(svc, endpoint_slice("web", [endpoint("10.244.1.2")])) == {}


def test_services_of_another_proxy_are_left_alone() -> None:
    svc = service("web", VIP)
    svc["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "cilium"}
    assert rules(svc) == {}


def test_no_endpoints_refuse() -> None:
    rule = one()
    assert rule.endpoints == ()
    assert rule.refuse


def test_ports_are_matched_by_name_and_protocol() -> None:
    svc = service("web", VIP, {"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"})
    part = endpoint_slice(
        "web",
        [endpoint("10.244.1.2")],
        {"name": "dns", "port": 5353, "protocol": "UDP"},
        {"name": "http", "port": 8080},
        {"name": "http", "port": 9999, "protocol": "SCTP"},
        {"name": "other", "port": 1},
    )
    found = rules(svc, part)
    assert found[Frontend(VIP, "TCP", 80)].endpoints == (Endpoint("10.244.1.2", 8080),)
    assert found[Frontend(VIP, "UDP", 53)].endpoints == (Endpoint("10.244.1.2", 5353),)
    assert len(found) == 2


def test_slices_are_joined_and_duplicates_are_one() -> None:
    found = rules(
        service("web", VIP),
        endpoint_slice("web", [endpoint("10.244.1.2"), endpoint("10.244.1.3")]),
        endpoint_slice("web", [endpoint("10.244.1.3"), endpoint("10.244.1.4")], suffix="2"),
        endpoint_slice("web", [endpoint("fd00::1")], suffix="3", addressType="IPv6"),
    )
    assert addresses(found[FRONT]) == ["10.244.1.2", "10.244.1.3", "10.244.1.4"]


def test_absent_conditions_mean_ready() -> None:
    assert addresses(one({"addresses": ["10.244.1.2"]}, {"addresses": ["10.244.1.3"], "conditions": {}})) == [
        "10.244.1.2",
        "10.244.1.3",
    ]


def test_endpoints_that_are_not_ready_get_nothing() -> None:
    assert addresses(one(endpoint("10.244.1.2", ready=False, serving=False), endpoint("10.244.1.3"))) == ["10.244.1.3"]


def test_terminating_endpoints_serve_only_while_none_is_ready() -> None:
    rule = one(endpoint("10.244.1.2"), terminating("10.244.1.3"))
    assert addresses(rule) == ["10.244.1.2"]
    assert rule.draining == (Endpoint("10.244.1.3", 8080),)
    fallback = one(terminating("10.244.1.3"), terminating("10.244.1.4", serving=False))
    assert addresses(fallback) == ["10.244.1.3"]
    assert fallback.draining == ()


def test_session_affinity() -> None:
    assert one(endpoint("10.244.1.2")).affinity == 0
    assert one(endpoint("10.244.1.2"), sessionAffinity="ClientIP").affinity == 10800
    config = {"clientIP": {"timeoutSeconds": 60}}
    assert one(endpoint("10.244.1.2"), sessionAffinity="ClientIP", sessionAffinityConfig=config).affinity == 60


def test_internal_traffic_policy_local() -> None:
    policy = {"internalTrafficPolicy": "Local"}
    assert addresses(one(endpoint("10.244.1.2"), endpoint("10.244.2.2", "b"), **policy)) == ["10.244.1.2"]
    elsewhere = one(endpoint("10.244.2.2", "b"), **policy)
    assert elsewhere.endpoints == ()
    assert not elsewhere.refuse, "dropped while another node has endpoints"
    assert one(**policy).refuse


def test_node_port_hides_clients() -> None:
    rule = outside(endpoint("10.244.1.2"), endpoint("10.244.2.2", "b"))
    assert addresses(rule) == ["10.244.1.2", "10.244.2.2"]
    assert rule.masquerade == "all"
    assert rule.internal is None
    assert not rule.dedicated


def test_external_traffic_policy_local() -> None:
    both = (endpoint("10.244.1.2"), endpoint("10.244.2.2", "b"))
    rule = outside(*both, externalTrafficPolicy="Local")
    assert addresses(rule) == ["10.244.1.2"]
    assert rule.internal == (Endpoint("10.244.1.2", 8080), Endpoint("10.244.2.2", 8080))
    assert rule.masquerade == "none"
    none_here = outside(*both, node="c", externalTrafficPolicy="Local")
    assert none_here.endpoints == ()
    assert not none_here.refuse
    assert outside(externalTrafficPolicy="Local").refuse
    # The policy is for outside frontends: the cluster IP still reaches all.
    assert addresses(one(*both, externalTrafficPolicy="Local")) == ["10.244.1.2", "10.244.2.2"]


def test_external_and_load_balancer_addresses() -> None:
    svc = service("web", VIP, PORT, type="LoadBalancer", externalIPs=["198.51.100.1"])
    svc["status"] = {
        "loadBalancer": {
            "ingress": [{"ip": "198.51.100.2"}, {"ip": "198.51.100.3", "ipMode": "Proxy"}, {"hostname": "lb.example"}]
        }
    }
    found = rules(svc, endpoint_slice("web", [endpoint("10.244.1.2")]))
    assert {front.address for front in found} == {VIP, ANY_LOCAL, "198.51.100.1", "198.51.100.2"}
    assert found[Frontend("198.51.100.1", "TCP", 80)].masquerade == "all"


def test_dual_stack_service_takes_its_ipv4_address() -> None:
    svc = service("web", "fd00::1")
    svc["spec"]["clusterIPs"] = ["fd00::1", VIP]
    assert list(rules(svc)) == [FRONT]


def test_host_ports() -> None:
    ports = (HostPort("", 8080, 80), HostPort("0.0.0.0", 53, 5353, "UDP"), HostPort("192.0.2.1", 443, 8443))
    found = host_port_rules("default/web", ("10.244.1.2",), ports)
    assert {front: rule.endpoints for front, rule in found.items()} == {
        Frontend(ANY_LOCAL, "TCP", 8080): (Endpoint("10.244.1.2", 80),),
        Frontend(ANY_LOCAL, "UDP", 53): (Endpoint("10.244.1.2", 5353),),
        Frontend("192.0.2.1", "TCP", 443): (Endpoint("10.244.1.2", 8443),),
    }
    assert {rule.masquerade for rule in found.values()} == {"none"}
    assert host_port_rules("default/web", (), ports) == {}


def test_merge_gives_a_frontend_to_its_first_owner() -> None:
    first, second = Rule("a/x:80", ()), Rule("b/y:80", ())
    merged, conflicts = merge([("a/x", {FRONT: first}), ("b/y", {FRONT: second, NODE_PORT: second})])
    assert merged == {FRONT: first, NODE_PORT: second}
    assert conflicts == [f"{VIP}:80/TCP of b/y is taken by a/x:80"]
