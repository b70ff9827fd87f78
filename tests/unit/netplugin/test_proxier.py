"""The proxy's loop over an API server in memory and a backend that remembers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from kubeactors.client import InformerFactory
from netplugin.interface import HostPort, PodRequest
from netplugin.proxy.backend import BackendError
from netplugin.proxy.proxier import Proxier
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rules
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi
from tests.support.network_objects import endpoint, endpoint_slice, service

FRONT = Frontend("10.96.0.1", "TCP", 80)


@dataclass
class MemoryBackend:
    """Remembers tables and the threads that brought them."""

    name: str = "memory"
    tables: list[Rules] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    failures: list[BaseException] = field(default_factory=list)
    prepared: bool = False
    closed: bool = False
    wait: float | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def prepare(self) -> None:
        self.prepared = True

    def sync(self, rules: Rules) -> None:
        self.gate.wait(5)
        self.threads.add(threading.get_ident())
        if self.failures:
            raise self.failures.pop(0)
        self.tables.append(dict(rules))

    def pending(self) -> float | None:
        return self.wait

    def close(self) -> None:
        self.closed = True

    def purge(self) -> None: ...


@dataclass
class Bench:
    api: FakeApi
    informers: InformerFactory
    backend: MemoryBackend
    proxier: Proxier
    purged: list[str]

    @property
    def table(self) -> Rules:
        return self.backend.tables[-1]

    async def written(self) -> None:
        await eventually(lambda: self.backend.tables and self.proxier.idle)


Start = Callable[[], Awaitable[Bench]]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    api = FakeApi()
    api.seed(service("web", "10.96.0.1"), endpoint_slice("web", [endpoint("10.244.1.2")]))
    informers = InformerFactory(api.client())
    backend, purged = MemoryBackend(), list[str]()
    proxier = Proxier(informers, lambda: backend, node_name="a", min_sync_interval=0.0, purge_others=purged.append)
    made = Bench(api, informers, backend, proxier, purged)
    await proxier.start()
    yield made
    await proxier.stop()
    await informers.stop()


async def test_nothing_is_written_before_the_lists_are_complete(bench: Bench) -> None:
    assert bench.backend.prepared
    bench.proxier.set_host_ports(PodRequest("default", "web", "u", (HostPort("", 8080, 80),)), ("10.244.1.2",))
    await asyncio.sleep(0.05)
    assert bench.backend.tables == []
    assert bench.proxier.warnings() == {"service proxy": "no list of services yet"}
    await bench.informers.start()
    await bench.written()
    assert set(bench.table) == {FRONT, Frontend(ANY_LOCAL, "TCP", 8080)}
    assert (await bench.proxier.health())["service proxy (memory)"] == "ok"
    assert bench.proxier.warnings() == {}
    assert bench.purged == ["memory"]


async def test_changes_arrive(bench: Bench) -> None:
    await bench.informers.start()
    await bench.written()
    assert bench.table[FRONT].endpoints == (Endpoint("10.244.1.2", 8080),)
    more = [endpoint("10.244.1.2"), endpoint("10.244.1.3")]
    bench.api.modify("endpointslices", "web-1", lambda part: part.update(endpoints=more))
    await eventually(lambda: len(bench.table[FRONT].endpoints) == 2)
    bench.api.remove("endpointslices", "web-1")
    await eventually(lambda: bench.table[FRONT].endpoints == ())
    bench.api.remove("services", "web")
    await eventually(lambda: bench.table == {})
    assert len(bench.backend.threads) == 1
    assert bench.backend.threads != {threading.get_ident()}


async def test_a_slice_that_changes_its_service_leaves_the_old_one(bench: Bench) -> None:
    bench.api.seed(service("other", "10.96.0.2"))
    await bench.informers.start()
    await bench.written()
    labels = {"kubernetes.io/service-name": "other"}
    bench.api.modify("endpointslices", "web-1", lambda part: part["metadata"].update(labels=labels))
    other = Frontend("10.96.0.2", "TCP", 80)
    await eventually(lambda: not bench.table[FRONT].endpoints and bool(bench.table[other].endpoints))


async def test_unchanged_rules_stay_the_same_objects(bench: Bench) -> None:
    """Backends find what changed by identity."""
    bench.api.seed(service("other", "10.96.0.2"))
    await bench.informers.start()
    await bench.written()
    before = bench.table
    bench.api.modify("services", "web", lambda svc: svc["metadata"].update(labels={"a": "b"}))
    bench.api.seed(endpoint_slice("other", [endpoint("10.244.1.9")]))
    other = Frontend("10.96.0.2", "TCP", 80)
    await eventually(lambda: bool(bench.table[other].endpoints))
    assert bench.table[FRONT] is before[FRONT]


async def test_a_burst_is_collected(bench: Bench) -> None:
    await bench.informers.start()
    await bench.written()
    count = len(bench.backend.tables)
    bench.backend.gate.clear()  # a sync that takes its time
    for number in range(50):
        bench.api.seed(service(f"s{number}", f"10.96.1.{number}"))
        await asyncio.sleep(0)
    bench.backend.gate.set()
    await eventually(lambda: len(bench.table) == 51)
    assert len(bench.backend.tables) - count <= 3


async def test_failures_are_told_and_retried(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.informers.start()
    await bench.written()
    bench.backend.failures = [BackendError("the kernel said no")]
    bench.api.seed(service("more", "10.96.0.3"))
    await eventually(lambda: "the kernel said no" in bench.proxier._problem)
    assert (await bench.proxier.health())["service proxy (memory)"] == "the kernel said no"
    await eventually(lambda: len(bench.table) == 2 and not bench.proxier._problem)
    assert (await bench.proxier.health())["service proxy (memory)"] == "ok"
    bench.backend.failures = [RuntimeError("a mistake of ours")]
    bench.api.seed(service("another", "10.96.0.4"))
    await eventually(lambda: len(bench.table) == 3)
    assert "a mistake of ours" in caplog.text


async def test_backend_asks_to_be_called_again(bench: Bench) -> None:
    bench.backend.wait = 0.01
    await bench.informers.start()
    await eventually(lambda: len(bench.backend.tables) > 3)


async def test_conflicts_are_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    taken = {"externalIPs": ["198.51.100.1"]}
    bench.api.seed(service("one", "10.96.0.5", **taken), service("two", "10.96.0.6", **taken))
    await bench.informers.start()
    await bench.written()
    bench.api.seed(service("more", "10.96.0.7"))
    await eventually(lambda: Frontend("10.96.0.7", "TCP", 80) in bench.table)
    assert caplog.text.count("198.51.100.1:80/TCP of default/two is taken by default/one:80") == 1


async def test_host_ports_come_and_go(bench: Bench) -> None:
    await bench.informers.start()
    await bench.written()
    pod = PodRequest("default", "web", "u", (HostPort("", 8080, 80),))
    bench.proxier.set_host_ports(pod, ("10.244.1.2",))
    await eventually(lambda: Frontend(ANY_LOCAL, "TCP", 8080) in bench.table)
    bench.proxier.remove_host_ports("u")
    bench.proxier.remove_host_ports("u")
    await eventually(lambda: set(bench.table) == {FRONT})


async def test_stop_closes_the_backend_and_keeps_its_rules(bench: Bench) -> None:
    await bench.informers.start()
    await bench.written()
    await bench.proxier.stop()
    assert bench.backend.closed
    assert FRONT in bench.table
