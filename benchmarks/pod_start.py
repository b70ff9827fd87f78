"""How long a pod takes from the call that creates it to Running, and to Ready with a probe, beside Podman alone.

    python -m benchmarks.pod_start [--pods 50]

Podman's own figure is a container created and started over its REST socket, on the same storage, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks.bench_cluster import cluster
from benchmarks.figures import machine, milliseconds, percentile
from kubeactors.api import meta
from kubeactors.client.async_client import AsyncClient
from tests.support.cluster import TestCluster

IMAGE = "localhost/guestbook-sidecar:v1"
NAMESPACE = "bench"
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]
TIMEOUT = 120.0


@dataclass
class Times:
    """Seconds from each pod's create call."""

    running: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)


def pod(name: str, *, probe: bool) -> dict[str, Any]:
    """A pod of one container; with `probe`, one that a TCP readiness probe finds ready."""
    container: dict[str, Any] = {"name": "main", "image": IMAGE, "command": COMMAND}
    if probe:
        container |= {
            "command": ["sh", "-c", "mkdir -p /tmp/www; busybox httpd -p 8080 -h /tmp/www; " + COMMAND[2]],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }


class Observer:
    """One watch on the namespace's pods; resolves when a pod is Running or Ready."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.seen: dict[tuple[str, str], float] = {}
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Until cancelled."""
        async for event in self._client.watch("pods", NAMESPACE):
            now = time.perf_counter()
            name, status = meta.name(event.object), event.object.get("status", {})
            ready = meta.get_condition(event.object, "Ready")
            async with self._changed:
                if status.get("phase") == "Running":
                    self.seen.setdefault((name, "running"), now)
                if ready is not None and ready["status"] == "True":
                    self.seen.setdefault((name, "ready"), now)
                if event.type == "DELETED":
                    self.seen[name, "gone"] = now
                self._changed.notify_all()

    async def wait(self, name: str, what: str) -> float:
        """When it was seen first."""
        async with asyncio.timeout(TIMEOUT), self._changed:
            await self._changed.wait_for(lambda: (name, what) in self.seen)
        return self.seen[name, what]


async def one_by_one(client: AsyncClient, observer: Observer, count: int, *, probe: bool) -> Times:
    """Each pod is created when the one before it is ready."""
    times = Times()
    for number in range(count):
        name = f"single-{'probe-' if probe else ''}{number}"
        started = time.perf_counter()
        await client.create("pods", pod(name, probe=probe), NAMESPACE)
        times.running.append(await observer.wait(name, "running") - started)
        times.ready.append(await observer.wait(name, "ready") - started)
    return times


async def at_once(client: AsyncClient, observer: Observer, count: int) -> Times:
    """All pods are created together; each is timed from its own call."""
    times = Times()

    async def start(name: str) -> None:
        started = time.perf_counter()
        await client.create("pods", pod(name, probe=False), NAMESPACE)
        times.running.append(await observer.wait(name, "running") - started)

    await asyncio.gather(*(start(f"burst-{number}") for number in range(count)))
    return times


async def delete_all(client: AsyncClient, observer: Observer) -> None:
    """Until no pod is left."""
    names = [meta.name(item) for item in (await client.list("pods", NAMESPACE)).items]
    await asyncio.gather(*(client.delete("pods", name, NAMESPACE) for name in names))
    await asyncio.gather(*(observer.wait(name, "gone") for name in names))


class Podman:
    """Podman's REST service, as the node agent uses it."""

    def __init__(self, socket: str) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket))
        self._base = "http://podman/v4.0.0/libpod"

    async def start(self, name: str) -> float:
        """Seconds to create and start a container without a network."""
        started = time.perf_counter()
        body = {"name": name, "image": IMAGE, "command": COMMAND, "netns": {"nsmode": "none"}}
        async with self._session.post(f"{self._base}/containers/create", json=body) as answer:
            answer.raise_for_status()
        async with self._session.post(f"{self._base}/containers/{name}/start") as answer:
            answer.raise_for_status()
        return time.perf_counter() - started

    async def remove(self, name: str) -> None:
        """Remove it, running or not."""
        async with self._session.delete(f"{self._base}/containers/{name}?force=true&timeout=0") as answer:
            answer.raise_for_status()

    async def close(self) -> None:
        """End the connections."""
        await self._session.close()


async def podman_alone(podman: Podman, count: int, *, together: bool) -> list[float]:
    """The same number of containers by Podman alone."""
    names = [f"kubeactors-bench-{number}" for number in range(count)]
    if together:
        times = list(await asyncio.gather(*map(podman.start, names)))
    else:
        times = [await podman.start(name) for name in names]
    for name in names:
        await podman.remove(name)
    return times


async def measure(running: TestCluster, count: int, say: Callable[[str], None]) -> None:
    """Print every figure of one run."""
    client = running.client()
    podman = Podman(str(running.paths.run / "podman" / "podman.sock"))
    observer = Observer(client)
    await client.create("namespaces", {"metadata": {"name": NAMESPACE}})
    watching = asyncio.create_task(observer.run())
    try:
        await one_by_one(client, observer, 3, probe=False)
        await delete_all(client, observer)
        observer.seen.clear()
        baseline = await podman_alone(podman, count, together=False)
        plain = await one_by_one(client, observer, count, probe=False)
        await delete_all(client, observer)
        probed = await one_by_one(client, observer, count, probe=True)
        await delete_all(client, observer)
        again = await podman_alone(podman, count, together=False)
        baseline_burst = await podman_alone(podman, count, together=True)
        burst = await at_once(client, observer, count)
        await delete_all(client, observer)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await podman.close()
        await client.close()
    say(f"{machine()}; {count} pods")
    say(f"Podman REST, one by one      {milliseconds(baseline + again)}")
    say(f"pod to Running, one by one   {milliseconds(plain.running)}")
    say(f"pod to Ready with a probe    {milliseconds(probed.ready)}")
    say(f"Podman REST, all at once     {milliseconds(baseline_burst)}")
    say(f"pod to Running, all at once  {milliseconds(burst.running)}")
    ratio = percentile(plain.running, 0.5) / percentile(baseline + again, 0.5)
    say(f"Running / Podman, p50        {ratio:7.2f} (target: at most 2)")


def main() -> None:
    """Run on a cluster of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=50, help="how many pods in each round (default: 50)")
    options = parser.parse_args()
    with cluster() as running:
        asyncio.run(measure(running, options.pods, print))


if __name__ == "__main__":
    main()
