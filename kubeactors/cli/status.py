"""`kubeactors status`: masters, nodes and components with their health and addresses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from kubeactors.actors import ray_cluster
from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.daemon import Daemon
from kubeactors.actors.paths import Paths
from kubeactors.actors.settings import CLUSTER_ACTOR
from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.cli.errors import CommandError
from kubeactors.cli.up import node_is_ready, unhealthy
from kubeactors.client.async_client import AsyncClient

API_TIMEOUT = 5.0


async def run(paths: Paths, ray_address: str | None, *, as_json: bool) -> int:
    """Prints the status; returns 0 when everything is healthy, else 1. Raises CommandError when there is no cluster."""
    if not paths.config.exists():
        raise CommandError(f"there is no cluster below {paths.root}: run `kubeactors up`, or name its --root-dir")
    config = ClusterConfig.load(paths.config)
    status = await _ask_cluster(config, paths, ray_address)
    status["nodes"] = await _nodes(paths)
    status["kubeconfig"] = str(paths.kubeconfig)
    print(json.dumps(status, indent=2) if as_json else render(status))
    return 1 if unhealthy(status) or not all(node["ready"] for node in status["nodes"]) else 0


async def _ask_cluster(config: ClusterConfig, paths: Paths, ray_address: str | None) -> dict[str, Any]:
    """From the cluster's actor; where Ray is away, from what can be seen on this machine."""
    failure = "Ray does not run: run `kubeactors up`"
    try:
        if ray_cluster.connect(config, paths, ray_address):
            cluster = ray_cluster.find_actor(CLUSTER_ACTOR)
            if cluster is not None:
                answer: dict[str, Any] = await ray_cluster.call(cluster.check, timeout=20.0)
                return answer
            failure = "Ray runs without this cluster: run `kubeactors up`"
    except (ray_cluster.RayUnavailableError, ray_cluster.RayCallError) as error:
        failure = str(error)
    finally:
        ray_cluster.disconnect()
    pid = Daemon(paths.store_pid).pid()
    store = {"process": "ok" if pid else "does not run"}
    return {
        "cluster": config.cluster_name,
        "failure": failure,
        "master": {"name": "", "address": config.advertise_address},
        "components": [{"component": "store", "node": "", "address": config.advertise_address, "health": store}],
    }


async def _nodes(paths: Paths) -> list[dict[str, Any]]:
    client = AsyncClient.from_kubeconfig(paths.kubeconfig)
    try:
        async with asyncio.timeout(API_TIMEOUT):
            nodes = (await client.list("nodes")).items
    except (StatusError, OSError, TimeoutError):
        return []
    finally:
        await client.close()
    return [
        {
            "name": meta.name(node),
            "ready": node_is_ready(node),
            "pod_cidr": node.get("spec", {}).get("podCIDR", ""),
            "address": _internal_address(node),
        }
        for node in nodes
    ]


def _internal_address(node: meta.Object) -> str:
    addresses = node.get("status", {}).get("addresses", [])
    return next((str(item["address"]) for item in addresses if item["type"] == "InternalIP"), "")


def render(status: dict[str, Any]) -> str:
    """The status as three tables."""
    lines = [f"cluster {status['cluster']}, kubeconfig {status['kubeconfig']}"]
    if status["failure"]:
        lines.append(f"not healthy: {status['failure']}")
    master = status["master"]
    lines += ["", *_table(["MASTER", "ADDRESS"], [[master["name"], master["address"]]])]
    components = [
        [item["component"], item["node"], item["address"], _health(item["health"])] for item in status["components"]
    ]
    lines += ["", *_table(["COMPONENT", "NODE", "ADDRESS", "HEALTH"], components)]
    nodes = [
        [node["name"], node["address"], node["pod_cidr"], "Ready" if node["ready"] else "NotReady"]
        for node in status["nodes"]
    ]
    lines += ["", *_table(["NODE", "ADDRESS", "PODS", "STATUS"], nodes)]
    return "\n".join(lines)


def _health(checks: dict[str, str]) -> str:
    return "; ".join(f"{name}: {answer}" for name, answer in checks.items() if answer != "ok") or "ok"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
