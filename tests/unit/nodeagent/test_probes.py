"""Probe schedules and handlers."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from kubeactors.api.meta import Object
from nodeagent.probes import schedule
from nodeagent.probes.exec import Exec
from nodeagent.probes.http_get import HttpGet
from nodeagent.probes.interface import Target, resolve_port
from nodeagent.probes.prober import ContainerProber, Handlers
from nodeagent.probes.schedule import Progress, Timing, after, begin, timing_of
from nodeagent.probes.tcp_socket import TcpSocket
from nodeagent.runtime.interface import ExecResult
from tests.unit.nodeagent.pods import c, pod

TIMING = Timing(initial_delay=5, period=10, timeout=1, success_threshold=1, failure_threshold=3)
TARGET = Target(pod(), c("c", ports=[{"name": "http", "containerPort": 8080}]), "id0", "127.0.0.1")


def test_defaults() -> None:
    assert timing_of({}) == Timing(0, 10, 1, 1, 3)


def run(results: list[str], kind: schedule.Kind = "liveness", timing: Timing = TIMING, early: bool = False) -> Progress:
    progress = begin(100, timing)
    for result in results:
        progress = after(progress, kind, timing, result, progress.next + 0.01, may_be_early=early)  # type: ignore[arg-type]
    return progress


def test_the_first_probe_comes_after_the_initial_delay_and_then_one_a_period() -> None:
    assert begin(100, TIMING).next == 105
    assert run(["success"]).next == 115
    assert run(["success"] * 3).next == 135


def test_one_success_decides() -> None:
    assert run(["success"]).decided is True


def test_failures_are_counted_in_a_row() -> None:
    assert run(["failure"] * 2).decided is None
    assert run(["failure"] * 3).decided is False
    assert run(["success", "failure", "failure", "success", "failure"]).decided is True
    assert run(["success", "failure", "failure", "failure"]).decided is False


def test_success_threshold() -> None:
    timing = Timing(0, 1, 1, 2, 1)
    assert run(["failure", "success"], timing=timing).decided is False
    assert run(["failure", "success", "success"], timing=timing).decided is True


def test_probes_that_could_not_be_made_do_not_count() -> None:
    progress = run(["failure", "failure", "unknown", "failure"])
    assert progress.decided is False
    assert run(["failure", "failure", "unknown"]).in_a_row == 2


def test_a_readiness_probe_is_tried_early_until_it_succeeds() -> None:
    timing = Timing(0, 10, 1, 1, 3)
    progress, times = begin(100, timing), []
    for _ in range(8):
        times.append(round(progress.next - 100, 2))
        progress = after(progress, "readiness", timing, "failure", progress.next, may_be_early=True)
    assert times == [0, 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1]
    # Only the one that was due has counted.
    assert (progress.in_a_row, progress.decided) == (1, None)
    succeeded = after(progress, "readiness", timing, "success", progress.next, may_be_early=True)
    assert succeeded.decided is True and succeeded.next == 110


def test_liveness_probes_are_never_early() -> None:
    assert run(["failure"], early=True).next == 115


def test_a_slow_probe_skips_the_times_it_missed() -> None:
    progress = after(begin(100, TIMING), "liveness", TIMING, "failure", 128, may_be_early=False)
    assert progress.next == 135


def test_ports() -> None:
    assert resolve_port(80, {}) == resolve_port("80", {}) == 80
    assert resolve_port("http", TARGET.container) == 8080
    with pytest.raises(ValueError, match="unable to find named port none"):
        resolve_port("none", TARGET.container)


# -- handlers ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(5)
        if request.path == "/moved":
            raise web.HTTPFound("/200")
        return web.Response(status=int(request.path[1:] or 200), text=request.headers.get("User-Agent", ""))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "result", "output"),
    [
        ("/200", "success", "kube-probe/1.37"),
        ("", "success", "kube-probe/1.37"),
        ("/399", "success", "kube-probe/1.37"),
        ("/moved", "success", "kube-probe/1.37"),
        ("/404", "failure", "HTTP probe failed with statuscode: 404"),
        ("/500", "failure", "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_http(port: int, path: str, result: str, output: str) -> None:
    handler = HttpGet()
    answer = await handler.probe({"port": port, "path": path}, TARGET, 2)
    assert (answer.result, answer.output) == (result, output)
    await handler.close()


async def test_http_failures_are_told_as_kubelet_tells_them(port: int) -> None:
    handler = HttpGet()
    slow = await handler.probe({"port": port, "path": "/slow"}, TARGET, 0.1)
    text = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    assert slow.output == f'Get "http://127.0.0.1:{port}/slow": {text}'
    refused = await handler.probe({"port": 1, "path": "/"}, TARGET, 1)
    text = "dial tcp 127.0.0.1:1: connect: connection refused"
    assert refused.output == f'Get "http://127.0.0.1:1/": {text}'
    unknown = await handler.probe({"port": "none"}, TARGET, 1)
    assert (unknown.result, unknown.is_error) == ("unknown", True)
    await handler.close()


async def test_tcp(port: int) -> None:
    assert (await TcpSocket().probe({"port": port}, TARGET, 1)).result == "success"
    refused = await TcpSocket().probe({"port": 1}, TARGET, 1)
    assert (refused.result, refused.output) == ("failure", "dial tcp 127.0.0.1:1: connect: connection refused")


class ExecRuntime:
    def __init__(self, result: ExecResult) -> None:
        self.result = result

    async def exec(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        return self.result


@pytest.mark.parametrize(
    ("result", "expected", "output"),
    [
        (ExecResult(0, b"fine"), "success", "fine"),
        (ExecResult(3, b"bad"), "failure", "bad"),
        (ExecResult(-1, b"", timed_out=True), "failure", 'command timed out: "a b" timed out after 1s'),
        (ExecResult(255, b"x", error="exec failed"), "failure", "exec failed"),
    ],
)
async def test_exec(result: ExecResult, expected: str, output: str) -> None:
    answer = await Exec(ExecRuntime(result)).probe({"command": ["a", "b"]}, TARGET, 1)  # type: ignore[arg-type]
    assert (answer.result, answer.output) == (expected, output)


# -- the tasks -----------------------------------------------------------------------------------------------------


class Recorder:
    def __init__(self) -> None:
        self.decided: list[tuple[str, bool]] = []
        self.failed: list[str] = []


async def probe(container: Object, seconds: float, *, started: bool = False) -> Recorder:
    recorder = Recorder()
    handlers = Handlers(ExecRuntime(ExecResult(0, b"")))  # type: ignore[arg-type]
    prober = ContainerProber(
        handlers,
        time.time,
        lambda kind, success: recorder.decided.append((kind, success)),
        lambda kind, _answer: recorder.failed.append(kind),
    )
    prober.start(container, TARGET, time.time(), started=started)
    await asyncio.sleep(seconds)
    await prober.stop()
    await handlers.close()
    return recorder


def http(port: int, path: str, **fields: int) -> Object:
    return {"httpGet": {"port": port, "path": path}, "periodSeconds": 1, "failureThreshold": 1, **fields}


async def test_the_startup_probe_comes_first(port: int) -> None:
    container = c("c", startupProbe=http(port, "/200"), readinessProbe=http(port, "/200"))
    assert (await probe(container, 0.3)).decided == [("startup", True), ("readiness", True)]
    failing = c("c", startupProbe=http(port, "/500"), livenessProbe=http(port, "/500"))
    assert (await probe(failing, 0.3)).decided == [("startup", False)]


async def test_an_adopted_container_is_not_started_again(port: int) -> None:
    container = c("c", startupProbe=http(port, "/500"), readinessProbe=http(port, "/200"))
    assert (await probe(container, 0.3, started=True)).decided == [("readiness", True)]


async def test_a_liveness_failure_is_told_once(port: int) -> None:
    recorder = await probe(c("c", livenessProbe=http(port, "/500")), 1.3)
    assert recorder.decided == [("liveness", False)]
    assert recorder.failed == ["liveness"]
