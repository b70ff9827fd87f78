"""Endpoints of pods, their packing into slices, and the Endpoints mirror."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubeactors.api.meta import Object
from kubeactors.controllers.endpointslice import mirror
from kubeactors.controllers.endpointslice.endpoints import endpoint_of, endpoint_ports, is_candidate, target_port
from kubeactors.controllers.endpointslice.hints import with_hints
from kubeactors.controllers.endpointslice.slices import Changes, address_types, plan, slice_labels
from kubeactors.controllers.endpointslice.trigger_time import ANNOTATION, TriggerTimes, annotated
from kubeactors.controllers.endpointslice.unseen import UnseenWrites
from tests.unit.controllers.objects import ago, node, pod, service

HTTP = (("http", 8080, "TCP", None),)
OTHER = (("http", 9090, "TCP", None),)


def conditions(found: Object) -> tuple[bool, bool, bool]:
    held = found["conditions"]
    return held["ready"], held["serving"], held["terminating"]


def test_conditions_of_an_endpoint() -> None:
    made = service()
    assert conditions(endpoint_of(pod("a"), made, None, ["10.0.0.1"])) == (True, True, False)
    assert conditions(endpoint_of(pod("a", ready=False), made, None, [])) == (False, False, False)
    assert conditions(endpoint_of(pod("a", deleting=True), made, None, [])) == (False, True, True)
    publish = service(publishNotReadyAddresses=True)
    assert conditions(endpoint_of(pod("a", ready=False), publish, None, [])) == (True, False, False)
    assert conditions(endpoint_of(pod("a", ready=False, deleting=True), publish, None, [])) == (True, False, True)


def test_who_is_an_endpoint_at_all() -> None:
    assert is_candidate(pod("a", ready=False), True)
    assert not is_candidate(pod("a", ip=None), True)
    assert not is_candidate(pod("a", phase="Succeeded"), True)
    assert is_candidate(pod("a", deleting=True), True)
    assert not is_candidate(pod("a", deleting=True), False)


def test_where_an_endpoint_is() -> None:
    home = node("n1")
    home["metadata"]["labels"]["topology.kubernetes.io/zone"] = "z1"
    found = endpoint_of(pod("a", hostname="one", subdomain="web"), service(), home, ["10.0.0.1"])
    assert (found["nodeName"], found["zone"], found["hostname"]) == ("n1", "z1", "one")
    assert found["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "a", "uid": "uid-a"}
    assert "hostname" not in endpoint_of(pod("a", hostname="one", subdomain="other"), service(), None, [])


def test_named_target_ports() -> None:
    ports = [{"name": "web", "containerPort": 81}, {"name": "web", "containerPort": 53, "protocol": "UDP"}]
    made = pod(
        "a", initContainers=[{"name": "s", "restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 9}]}]
    )
    made["spec"]["containers"] = [{"name": "main", "ports": ports}]
    assert target_port(made, {"port": 80, "targetPort": "web"}) == 81
    assert target_port(made, {"port": 80, "targetPort": "web", "protocol": "UDP"}) == 53
    assert target_port(made, {"port": 80, "targetPort": "side"}) == 9
    assert target_port(made, {"port": 80, "targetPort": "none"}) is None
    assert target_port(made, {"port": 80}) == 80
    assert endpoint_ports(service(ports=[{"port": 80, "targetPort": "none"}]), made) == ()


def test_labels_of_slices() -> None:
    assert slice_labels(service()) == {
        "svc": "web",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert slice_labels(service(clusterIP="None"))["service.kubernetes.io/headless"] == ""


def test_address_families() -> None:
    assert address_types(service()) == ["IPv4"]
    assert address_types(service(ipFamilies=["IPv6", "IPv4"])) == ["IPv6", "IPv4"]
    assert address_types(service(ipFamilies=None, clusterIP="fd00::1")) == ["IPv6"]


# Packing


def endpoint(number: int, ready: bool = True) -> Object:
    return {
        "addresses": [f"10.0.{number // 250}.{number % 250}"],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": "default", "name": f"p{number}", "uid": f"u{number}"},
    }


class Store:
    """Applies planned changes as the API server would, and counts writes."""

    def __init__(self) -> None:
        self.slices: dict[str, Object] = {}
        self.made = 0

    def apply(self, changes: Changes) -> int:
        for wanted in changes.create:
            self.made += 1
            stored = copy.deepcopy(wanted)
            stored["metadata"] |= {"name": f"web-{self.made}", "uid": f"s{self.made}"}
            self.slices[stored["metadata"]["name"]] = stored
        for wanted in changes.update:
            assert wanted["metadata"]["name"] in self.slices
            self.slices[wanted["metadata"]["name"]] = copy.deepcopy(wanted)
        for gone in changes.delete:
            del self.slices[gone["metadata"]["name"]]
        return len(changes.create) + len(changes.update) + len(changes.delete)

    def reconcile(self, groups: Any, made: Object | None = None, limit: int = 3) -> int:
        return self.apply(plan(made or service(), "IPv4", groups, list(self.slices.values()), limit))

    def held(self) -> dict[Any, list[Object]]:
        found: dict[Any, list[Object]] = {}
        for each in self.slices.values():
            ports = tuple((p["name"], p["port"], p["protocol"], p.get("appProtocol")) for p in each["ports"])
            found.setdefault(ports, []).extend(each["endpoints"])
        return found


def test_a_service_without_endpoints_has_one_empty_slice() -> None:
    store = Store()
    assert store.reconcile({}) == 1
    assert store.reconcile({}) == 0
    (held,) = store.slices.values()
    assert held["endpoints"] == [] and held["ports"] == []
    assert store.reconcile({HTTP: [endpoint(1)]}) == 1  # the same slice is used
    assert len(store.slices) == 1
    assert store.reconcile({}) == 1
    assert len(store.slices) == 1


def test_one_change_writes_one_slice() -> None:
    store = Store()
    store.reconcile({HTTP: [endpoint(i) for i in range(9)]})
    assert len(store.slices) == 3
    assert store.reconcile({HTTP: [endpoint(i, ready=i != 4) for i in range(9)]}) == 1
    # One goes and one comes: the newcomer takes the place in the slice that is written anyway.
    assert store.reconcile({HTTP: [endpoint(i, ready=i != 4) for i in range(9) if i != 5] + [endpoint(20)]}) == 1


def test_new_endpoints_fill_the_fullest_slice_with_room() -> None:
    store = Store()
    store.reconcile({HTTP: [endpoint(i) for i in range(6)]}, limit=4)  # 4 and 2
    assert store.reconcile({HTTP: [endpoint(i) for i in range(7)]}, limit=4) == 1
    assert sorted(len(s["endpoints"]) for s in store.slices.values()) == [3, 4]


def test_a_changed_port_reuses_the_slice() -> None:
    store = Store()
    store.reconcile({HTTP: [endpoint(1)]})
    assert store.reconcile({OTHER: [endpoint(1)]}) == 1
    assert list(store.held()) == [OTHER]


def test_changed_labels_are_written() -> None:
    store = Store()
    store.reconcile({HTTP: [endpoint(1)]})
    relabelled = service()
    relabelled["metadata"]["labels"] = {"svc": "new"}
    assert store.reconcile({HTTP: [endpoint(1)]}, relabelled) == 1
    (held,) = store.slices.values()
    assert held["metadata"]["labels"]["svc"] == "new"


MEMBERS = st.dictionaries(st.integers(0, 15), st.booleans(), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(
        st.tuples(MEMBERS, st.dictionaries(st.integers(20, 30), st.booleans(), max_size=5)), min_size=1, max_size=5
    )
)
def test_slices_hold_exactly_what_is_wanted(steps: Any) -> None:
    """Every endpoint once, in a slice of its ports, never more than fit; a second look writes nothing."""
    store = Store()
    for http, other in steps:
        groups = {
            ports: [endpoint(number, ready) for number, ready in members.items()]
            for ports, members in ((HTTP, http), (OTHER, other))
            if members
        }
        store.reconcile(groups)
        held = store.held()
        if not groups:
            assert len(store.slices) == 1
        for ports, wanted in groups.items():
            assert sorted(held[ports], key=str) == sorted(wanted, key=str)
        assert all(len(each["endpoints"]) <= 3 for each in store.slices.values())
        assert all(each["endpoints"] for each in store.slices.values()) or not groups
        assert store.reconcile(groups) == 0


# Hints, times, stale views


def test_hints() -> None:
    ready = {**endpoint(1), "zone": "z1", "nodeName": "n1"}
    waiting = {**endpoint(2, ready=False), "zone": "z1"}
    close = with_hints([ready, waiting], "PreferClose")
    assert close[0]["hints"] == {"forZones": [{"name": "z1"}]}
    assert "hints" not in close[1]
    assert with_hints([ready], "PreferSameNode")[0]["hints"]["forNodes"] == [{"name": "n1"}]
    assert "hints" not in with_hints(close, None)[0]


def test_trigger_times() -> None:
    times, made = TriggerTimes(), service()
    assert times.observe("k", made, [pod("a", ready_for=50)]) == ago(1000)
    assert times.observe("k", made, [pod("a", ready_for=50)]) is None
    assert times.observe("k", made, [pod("a", ready_for=20), pod("b", ready_for=30)]) == ago(30)
    assert annotated({"metadata": {}}, "t")["metadata"]["annotations"] == {ANNOTATION: "t"}
    assert annotated({"metadata": {"annotations": {ANNOTATION: "t"}}}, None) == {"metadata": {}}


def test_unseen_writes() -> None:
    time = 0.0
    unseen = UnseenWrites(lambda: time)

    def version(number: int) -> Object:
        return {"metadata": {"uid": "u", "resourceVersion": str(number)}}

    unseen.wrote("k", version(5))
    assert unseen.any("k")
    assert unseen.seen("k", version(3))  # older than our write: nothing new
    assert unseen.any("k")
    assert unseen.seen("k", version(5))
    assert not unseen.any("k")
    unseen.wrote("k", version(7))
    assert not unseen.seen("k", version(8))  # somebody wrote after us
    unseen.wrote("k", version(9))
    time = 11.0
    assert not unseen.any("k")


# The mirror


def test_subsets() -> None:
    pods = [
        pod("b", ip="10.0.0.2"),
        pod("a", ip="10.0.0.1"),
        pod("c", ip="10.0.0.3", ready=False),
        pod("d", deleting=True),
    ]
    (subset,) = mirror.subsets(service(), pods)
    assert [a["ip"] for a in subset["addresses"]] == ["10.0.0.1", "10.0.0.2"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.0.0.3"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (published,) = mirror.subsets(service(publishNotReadyAddresses=True), [pod("c", ready=False)])
    assert len(published["addresses"]) == 1


def test_pods_with_other_ports_are_a_subset_of_their_own() -> None:
    made = service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])
    pods = []
    for index, number in enumerate((81, 82)):
        each = pod(f"p{index}", ip=f"10.0.0.{index}")
        each["spec"]["containers"] = [{"name": "m", "ports": [{"name": "web", "containerPort": number}]}]
        pods.append(each)
    assert [s["ports"][0]["port"] for s in mirror.subsets(made, [*pods, pod("without")])] == [81, 82]


def test_a_headless_service_without_ports() -> None:
    made = service(clusterIP="None", ports=[])
    assert "ports" not in mirror.subsets(made, [pod("a")])[0]


def test_too_many_addresses() -> None:
    wanted = [
        {"addresses": [{"ip": str(i)} for i in range(600)], "notReadyAddresses": [{"ip": "x"}] * 300, "ports": []},
        {"addresses": [{"ip": str(i)} for i in range(600)]},
    ]
    kept, cut = mirror.truncated(wanted)
    assert cut
    assert [len(s.get("addresses", ())) for s in kept] == [600, 400]
    assert all("notReadyAddresses" not in s for s in kept)
    assert mirror.truncated(wanted[:1]) == (wanted[:1], False)
