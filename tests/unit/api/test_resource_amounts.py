"""What a pod requests at its worst moment."""

from __future__ import annotations

from kubeactors.api.meta import Object
from kubeactors.api.resource_amounts import pod_requests


def container(cpu: str | None, **more: str) -> Object:
    return {"name": "c", "resources": {"requests": {"cpu": cpu} if cpu else {}}, **more}


def requests(*containers: Object, init: tuple[Object, ...] = (), **spec: Object) -> dict[str, int]:
    return pod_requests({"spec": {"containers": list(containers), "initContainers": list(init), **spec}})


def test_containers_add_up() -> None:
    assert requests(container("100m"), container("1"))["cpu"] == 1100


def test_fractions_round_up() -> None:
    assert requests({"name": "c", "resources": {"requests": {"cpu": "0.0001", "memory": "100m"}}}) == {
        "cpu": 1,
        "memory": 1,
    }


def test_the_largest_init_container_counts_alone() -> None:
    assert requests(container("1"), init=(container("3"), container("2")))["cpu"] == 3000


def test_sidecars_count_beside_containers_and_later_init_containers() -> None:
    sidecar = container("500m", restartPolicy="Always")
    assert requests(container("1"), init=(sidecar,))["cpu"] == 1500
    assert requests(container("1"), init=(sidecar, container("2")))["cpu"] == 2500
    assert requests(container("1"), init=(container("2"), sidecar))["cpu"] == 2000


def test_requests_of_the_whole_pod_and_overhead() -> None:
    assert requests(container("1"), resources={"requests": {"cpu": "3"}}, overhead={"cpu": "250m"})["cpu"] == 3250


def test_scoring_takes_pods_without_requests_for_small_ones() -> None:
    pod = {"spec": {"containers": [container(None), container("1")]}}
    assert pod_requests(pod, nonzero=True) == {"cpu": 1100, "memory": 400 * 1024 * 1024}
