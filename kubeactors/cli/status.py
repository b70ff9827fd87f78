"""`kubeactors status`: masters, nodes and components with their health and addresses.

Masters are asked directly, at the addresses that this machine's files have; so it works with Ray's head away, and says
that it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from kubeactors.actors import acting, ray_cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState, StateFile
from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.cli import masters_report
from kubeactors.cli.errors import CommandError
from kubeactors.cli.masters_report import Access
from kubeactors.cli.up import node_is_ready, unhealthy
from kubeactors.client.async_client import AsyncClient

API_TIMEOUT = 5.0
CONNECT_TIMEOUT = 15.0
CHECK_TIMEOUT = 10.0
LEASES = {"kube-scheduler": "scheduler", "kube-controller-manager": "controller-manager"}


async def run(paths: Paths, ray_address: str | None, *, as_json: bool) -> int:
    """Prints the status; returns 0 when everything is healthy, else 1. Raises CommandError when there is no cluster."""
    state = StateFile(paths.state).load()
    if not paths.config.exists() or state is None:
        raise CommandError(f"there is no cluster below {paths.root}: run `kubeactors up`, or name its --root-dir")
    config = ClusterConfig.load(paths.config)
    access = await asyncio.to_thread(Access.of, paths)
    masters = await masters_report.masters(config, state, access)
    nodes, leaders = await _ask_api(config, masters_report.ready_addresses(masters), access)
    # Last: connecting to Ray keeps this process busy for a second.
    status = await _ask_cluster(config, paths, state, ray_address)
    status |= {
        "masters": masters,
        "leaders": leaders,
        "nodes": nodes,
        "kubeconfig": str(paths.kubeconfig) if paths.kubeconfig.exists() else "",
    }
    print(json.dumps(status, indent=2) if as_json else render(status))
    return 1 if unhealthy(status) or problems(masters) or not all(node["ready"] for node in nodes) else 0


def problems(masters: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with masters."""
    found = [f"{master['name']}: {master['apiserver']}" for master in masters if master["apiserver"] != "ok"]
    return found + [
        f"{master['name']}: {master['store']['problem']}" for master in masters if master["store"]["problem"]
    ]


async def _ask_cluster(
    config: ClusterConfig, paths: Paths, state: ClusterState, ray_address: str | None
) -> dict[str, Any]:
    """What the cluster's actor knows of its components; where Ray is away, that it is."""
    failure = f"Ray's head at {state.ray_address} does not answer; what runs goes on, but changes of machines wait"
    try:
        remembered = state.ray_address
        if await ray_cluster.connect(config, paths, ray_address, remembered=remembered, timeout=CONNECT_TIMEOUT):
            found = await acting.acting(fresh=True, timeout=CHECK_TIMEOUT)
            if found is not None:
                return found[1]
            failure = "Ray runs without this cluster: run `kubeactors up`"
    except (ray_cluster.RayUnavailableError, ray_cluster.RayCallError, TimeoutError) as error:
        failure = f"{failure} ({error})" if str(error) else failure
    finally:
        await ray_cluster.disconnect()
    return {
        "cluster": config.cluster_name,
        "acting": None,
        "wanted": state.wanted,
        "machines": 0,
        "ray_address": state.ray_address,
        "failure": failure,
        "pid": None,
        "components": [],
        "advice": {},
    }


async def _ask_api(
    config: ClusterConfig, addresses: Sequence[str], access: Access | None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The nodes, and who leads the schedulers and the controller managers."""
    if access is None or not addresses:
        return [], {}
    client = AsyncClient([f"{address}:{config.grpc_port}" for address in addresses], access.api, timeout=API_TIMEOUT)
    try:
        async with asyncio.timeout(API_TIMEOUT):
            nodes = (await client.list("nodes")).items
            leases = (await client.list("leases.coordination.k8s.io", "kube-system")).items
    except (StatusError, OSError, TimeoutError):
        return [], {}
    finally:
        await client.close()
    rows = [
        {
            "name": meta.name(node),
            "ready": node_is_ready(node),
            "pod_cidr": node.get("spec", {}).get("podCIDR", ""),
            "address": _internal_address(node),
        }
        for node in nodes
    ]
    return rows, leaders(leases, datetime.now(UTC))


def leaders(leases: Sequence[meta.Object], now: datetime) -> dict[str, str]:
    """Component → the node that leads, "" while nobody does."""
    held = dict.fromkeys(LEASES.values(), "")
    for lease in leases:
        spec = lease.get("spec", {})
        if meta.name(lease) in LEASES and spec.get("renewTime"):
            age = (now - meta.parse_time(spec["renewTime"])).total_seconds()
            if age <= spec.get("leaseDurationSeconds", 0):
                held[LEASES[meta.name(lease)]] = str(spec.get("holderIdentity") or "")
    return held


def _internal_address(node: meta.Object) -> str:
    addresses = node.get("status", {}).get("addresses", [])
    return next((str(item["address"]) for item in addresses if item["type"] == "InternalIP"), "")


def render(status: dict[str, Any]) -> str:
    """The status as tables."""
    lines = [f"cluster {status['cluster']}" + (f", kubeconfig {status['kubeconfig']}" if status["kubeconfig"] else "")]
    if status["failure"]:
        lines.append(f"not healthy: {status['failure']}")
    header = ["MASTER", "ADDRESS", "API SERVER", "STORE", "TERM", "REVISION", "APPLIED", "LAG", "LEADS"]
    lines += ["", *_table(header, [_master(status, master) for master in status["masters"]])]
    components = [
        [item["component"], item["node"], item["address"], _health(item["health"])] for item in status["components"]
    ]
    if components:
        lines += ["", *_table(["COMPONENT", "NODE", "ADDRESS", "HEALTH"], components)]
    nodes = [
        [node["name"], node["address"], node["pod_cidr"], "Ready" if node["ready"] else "NotReady"]
        for node in status["nodes"]
    ]
    lines += ["", *_table(["NODE", "ADDRESS", "PODS", "STATUS"], nodes)]
    return "\n".join(lines)


def _master(status: dict[str, Any], master: dict[str, Any]) -> list[str]:
    store = master["store"]
    leads = [component for component, node in status["leaders"].items() if node == master["name"]]
    if status["acting"] == master["name"]:
        leads.append("cluster")
    if "member" not in store:
        figures = [store["problem"] or store.get("note", ""), "", "", "", ""]
    else:
        role = store["problem"] or ("leader" if store["leader"] else "follower")
        figures = [role, *(str(store[key]) for key in ("term", "revision", "applied", "lag"))]
    return [master["name"], master["address"], master["apiserver"], *figures, " ".join(leads)]


def _health(checks: dict[str, str]) -> str:
    return "; ".join(f"{name}: {answer}" for name, answer in checks.items() if answer != "ok") or "ok"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
