"""An operator as a program: its arguments, its log, its signals."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence

from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import UnknownKindError
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.kubeconfig import KubeconfigError
from kubeactors.client.manifests import ManifestError
from kubeactors.operators.health import HealthServer
from kubeactors.operators.operator import Operator

REFUSALS = (
    KubeconfigError,
    ManifestError,
    OSError,
    StatusError,
    TimeoutError,
    UnknownKindError,
    ValueError,
)


def run(operator: Operator, arguments: Sequence[str] | None = None) -> None:
    """See `Operator.run`."""
    chosen = parser(operator.name).parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if chosen.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(_serve(operator, chosen))
    except REFUSALS as error:
        raise SystemExit(f"{operator.name}: {error}") from error


def parser(name: str) -> argparse.ArgumentParser:
    """The arguments that every operator takes."""
    made = argparse.ArgumentParser(prog=name)
    made.add_argument("--kubeconfig", help="default: $KUBECONFIG, ~/.kube/config, or the pod's service account")
    made.add_argument("--context", help="of the kubeconfig; default: its current one")
    made.add_argument("-n", "--namespace", help="look after objects of this namespace alone; default: of all")
    made.add_argument(
        "--no-leader-election", action="store_true", help="begin at once: nobody may run a second copy at the same time"
    )
    made.add_argument("--health-port", type=int, help="serve /healthz, /readyz and /metrics there")
    made.add_argument("-v", "--verbose", action="store_true", help="log more")
    return made


async def _serve(operator: Operator, chosen: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, operator.stop)
    config = {"user_agent": operator.name}
    async with AsyncClient.from_kubeconfig(chosen.kubeconfig, chosen.context, **config) as client:
        health = HealthServer(operator, chosen.health_port) if chosen.health_port is not None else None
        try:
            if health is not None:
                await health.start()
            await operator.serve(client, leader_election=not chosen.no_leader_election, namespace=chosen.namespace)
        finally:
            if health is not None:
                await health.stop()
