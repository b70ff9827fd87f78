"""How long the service proxy takes to write its table: `python -m benchmarks.service_proxy [--ipvs]`.

1000 Services of 10 endpoints each: the first write into an empty kernel, the adoption by a new process, a sync
without a change, and one Service whose endpoint changes. As root; in a network namespace of its own. `--ipvs`
measures the IPVS backend inside user-mode Linux (tests/support/ipvs_vm), whose system calls are many times slower
than a machine's own: compare ratios only.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from netplugin import links, netns
from netplugin.names import Names
from netplugin.proxy.backend import Backend, BackendConfig
from netplugin.proxy.choose import make_backend
from netplugin.proxy.table import Endpoint, Frontend, Rule, Rules
from tests.support import ipvs_vm

CONFIG = BackendConfig(Names("benchmark", "a"), "10.244.0.0/16")


def table(services: int, endpoints: int) -> Rules:
    return {
        Frontend(f"10.96.{number // 250}.{number % 250 + 1}", "TCP", 80): rule(number, endpoints)
        for number in range(services)
    }


def rule(number: int, endpoints: int, first: int = 2) -> Rule:
    found = (Endpoint(f"10.244.{number % 250}.{first + index}", 8080) for index in range(endpoints))
    return Rule(f"default/s{number}:80", tuple(sorted(found)))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def measure(mode: str, services: int, endpoints: int, updates: int) -> dict[str, float]:
    """Runs in the namespace to be written."""
    with links.open_route_socket() as sock:
        sock.request(links.set_up(1))

    def fresh() -> Backend:
        backend = make_backend(mode, CONFIG)
        backend.prepare()
        return backend

    backend = fresh()
    rules = table(services, endpoints)
    load = timed(lambda: backend.sync(rules))
    unchanged = [timed(lambda: backend.sync(dict(rules))) for _ in range(updates)]
    changes: list[float] = []
    for number, front in enumerate(list(rules)[:updates]):
        changed = {**rules, front: rule(number, endpoints, first=3)}  # one endpoint goes, one comes
        changes.append(timed(lambda changed=changed: backend.sync(changed)))  # type: ignore[misc]
        rules = changed
    backend.close()
    successor = fresh()
    adoption = timed(lambda: successor.sync(rules))
    removal = timed(lambda: successor.sync({}))
    successor.purge()
    successor.close()
    return {
        "load ms": load,
        "adoption ms": adoption,
        "no change ms (p50)": statistics.median(unchanged),
        "one service ms (p50)": statistics.median(changes),
        "one service ms (max)": max(changes),
        "removal of all ms": removal,
    }


def in_own_namespace(mode: str, services: int, endpoints: int, updates: int) -> dict[str, float]:
    path = Path("/run/netns") / f"kubeactors-benchmark-{time.time_ns()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return netns.create(path, lambda: measure(mode, services, endpoints, updates))
    finally:
        netns.remove(path)


def in_guest(services: int, endpoints: int, updates: int) -> dict[str, float]:
    sizes = ["--services", str(services), "--endpoints", str(endpoints), "--updates", str(updates)]
    with tempfile.TemporaryDirectory() as shared:
        command = [sys.executable, "-m", "benchmarks.service_proxy", "--ipvs", *sizes, "--json", "/out/figures.json"]
        result = ipvs_vm.run(command, shared=Path(shared), timeout=600)
        if result.status != 0:
            raise SystemExit(result.output)
        figures: dict[str, float] = json.loads((Path(shared) / "figures.json").read_text())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--ipvs", action="store_true", help="measure IPVS, inside user-mode Linux")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    sizes = (options.services, options.endpoints, options.updates)
    if options.ipvs and not ipvs_vm.inside():
        figures = in_guest(*sizes)
    else:
        figures = in_own_namespace("ipvs" if options.ipvs else "nftables", *sizes)
    backend = "IPVS (user-mode Linux)" if options.ipvs else "nftables"
    print(f"{backend}, {options.services} services of {options.endpoints} endpoints")
    for name, value in figures.items():
        print(f"  {name:24} {value:10.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
