"""A master's certificates and kubeconfig: made on it, of the authorities that all masters share."""

from __future__ import annotations

from datetime import UTC, datetime

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.pki import kubeconfig
from kubeactors.pki.cluster import ClusterPki

LOOPBACK = "127.0.0.1"
ADMIN = "kubernetes-admin"


def write_credentials(config: ClusterConfig, paths: Paths, machine: Machine) -> None:
    """Make what is missing or near its end. Makes the authorities too where there are none: see `ClusterPki.complete`.

    Raises OSError, ValueError.
    """
    paths.etc.mkdir(parents=True, exist_ok=True, mode=0o755)
    paths.lib.mkdir(parents=True, exist_ok=True, mode=0o755)
    pki = ClusterPki(paths.pki)
    local = ["localhost", LOOPBACK, machine.hostname, machine.address]
    service = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{config.cluster_domain}",
    ]
    pki.ensure([*local, *service, config.first_service_address], local, datetime.now(UTC))
    kubeconfig.write(paths.kubeconfig, admin_kubeconfig(config, pki, LOOPBACK, config.local_https_port))


def admin_kubeconfig(config: ClusterConfig, pki: ClusterPki, host: str, port: int) -> bytes:
    """The administrator's kubeconfig for the API at `host`:`port`. On a machine of the cluster that is its forwarder,
    which is there whichever master is away; elsewhere it is a master."""
    return kubeconfig.render(
        config.cluster_name,
        f"https://{host}:{port}",
        ADMIN,
        pki.ca.read_bytes(),
        pki.certificate("admin").read_bytes(),
        pki.key("admin").read_bytes(),
    )
