"""Under a constant request loop on the Service, changes and deaths of components lose no request."""

import itertools
import os
import signal
import time

from tests.e2e.conftest import settle
from tests.support.cluster import TestCluster, until
from tests.support.request_loop import RequestLoop

COMPONENTS = ("store", "apiserver", "scheduler", "controller-manager", "node-agent", "cluster")


def test_a_rolling_update(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    with RequestLoop(*frontend) as loop:
        loop.wait_for(20)
        cluster.kubectl("set", "env", "deployment/frontend", "-n", guestbook, f"ROLLOUT={time.time()}")
        cluster.kubectl("rollout", "status", "deployment/frontend", "-n", guestbook, "--timeout=60s", timeout=90)
        settle(cluster, guestbook)
        loop.wait_for(20)
    loop.assert_none_lost(at_least=40)


def test_scaling_up_and_down(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    with RequestLoop(*frontend) as loop:
        loop.wait_for(20)
        for replicas in (6, 2, 3):
            cluster.kubectl("scale", "deployment/frontend", f"--replicas={replicas}", "-n", guestbook)
            settle(cluster, guestbook, replicas)
            loop.wait_for(20)
    loop.assert_none_lost(at_least=80)


def test_kill_9_of_each_component(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    before = cluster.container_ids(guestbook)
    with RequestLoop(*frontend) as loop:
        for component, replicas in zip(COMPONENTS, itertools.cycle((4, 3)), strict=False):
            loop.wait_for(20)
            pid = cluster.component_pid(component)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            cluster.wait_for_return(component, pid)
            # The cluster works again, not only its health checks.
            cluster.kubectl("scale", "deployment/frontend", f"--replicas={replicas}", "-n", guestbook)
            settle(cluster, guestbook, replicas)
            loop.wait_for(20)
            assert not loop.failures, f"after the death of {component}: {loop.failures[:10]}"
    loop.assert_none_lost(at_least=40 * len(COMPONENTS))
    scaled_down = len(COMPONENTS) // 2  # each may take an old pod, of two containers
    assert len(before & cluster.container_ids(guestbook)) >= len(before) - 2 * scaled_down


def test_kill_9_of_the_store(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    written: list[str] = []
    with RequestLoop(*frontend) as loop:
        loop.wait_for(20)
        pid = cluster.store_pid()
        assert pid is not None
        for number in range(30):
            name = f"acknowledged-{number}"
            if number == 15:
                os.kill(pid, signal.SIGKILL)
            done = cluster.kubectl("create", "configmap", name, "-n", guestbook, check=False)
            if done.returncode == 0:
                written.append(name)
        until(lambda: cluster.store_pid() not in (None, pid), timeout=60, what="the store to return")
        cluster.wait_until_healthy()
        kept = {item["metadata"]["name"] for item in cluster.get("configmaps", "-n", guestbook)["items"]}
        loop.wait_for(20)
    loop.assert_none_lost(at_least=40)
    assert len(written) > 15
    assert set(written) <= kept
    cluster.kubectl("delete", "configmap", "-n", guestbook, *written)


def test_a_restart_of_all_of_ray(cluster: TestCluster, guestbook: str, frontend: tuple[str, int]) -> None:
    before = cluster.container_ids(guestbook)
    store = cluster.store_pid()
    with RequestLoop(*frontend) as loop:
        loop.wait_for(20)
        cluster.kill_ray()
        loop.wait_for(40)
        cluster.up()
        cluster.wait_until_healthy()
        settle(cluster, guestbook)
        loop.wait_for(20)
    loop.assert_none_lost(at_least=80)
    assert cluster.store_pid() == store
    assert cluster.container_ids(guestbook) == before
