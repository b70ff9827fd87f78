"""A master's certificates and kubeconfig: made on it, of the authorities that all masters share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState
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
    # A machine of the cluster has its forwarder, which is there whichever master is away.
    document = _render({config.cluster_name: f"https://{LOOPBACK}:{config.local_https_port}"}, pki)
    kubeconfig.write(paths.kubeconfig, document)


def kubeconfig_for_elsewhere(config: ClusterConfig, paths: Paths, state: ClusterState) -> bytes:
    """The administrator's kubeconfig for a machine that is none of the cluster's: a context for each master."""
    hosts = [f"[{address}]" if ":" in address else address for address in state.masters]
    names = [config.cluster_name, *(f"{config.cluster_name}-{state.name(address)}" for address in state.masters[1:])]
    servers = {name: f"https://{host}:{config.https_port}" for name, host in zip(names, hosts, strict=True)}
    return _render(servers, ClusterPki(paths.pki))


def _render(servers: Mapping[str, str], pki: ClusterPki) -> bytes:
    ca, certificate, key = pki.ca, pki.certificate("admin"), pki.key("admin")
    return kubeconfig.render_servers(servers, ADMIN, ca.read_bytes(), certificate.read_bytes(), key.read_bytes())
