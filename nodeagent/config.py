"""How a node agent is to run: names, addresses, directories, intervals."""

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class NodeAgentConfig:
    """Everything that `NodeAgent` needs to know. Times are seconds."""

    node_name: str
    #: The node's address: what pods and masters reach it at.
    node_ip: str
    cluster_name: str = "kubeactors"
    #: Pods' directories: volumes, logs, records. Kept over reboots.
    pods_dir: Path = Path("/var/lib/kubeactors/pods")
    #: Sockets, pid files, namespaces. Gone with a reboot.
    run_dir: Path = Path("/run/kubeactors")
    #: Podman's storage; None: the system's.
    graphroot: Path | None = None
    bind_address: str = "0.0.0.0"
    #: The port of the agent's gRPC service; 0 lets the kernel choose.
    port: int = 10250
    #: Without certificate files the service listens on loopback without TLS: for tests only.
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    #: Who may call the service, by certificate.
    client_common_name: str = "kube-apiserver-kubelet-client"
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    lease_duration: int = 40
    lease_interval: float = 10.0
    status_interval: float = 10.0
    #: An unchanged node status is written again after this.
    status_report_interval: float = 300.0
    resync_interval: float = 60.0
    #: The longest that a container waits for its restart (kubelet's crashLoopBackOff.maxContainerRestartPeriod).
    max_restart_delay: float = 300.0
    max_pods: int = 110
    labels: dict[str, str] = field(default_factory=dict)
    #: Memory that pods may not have, in bytes (kubelet's default eviction threshold).
    reserved_memory: int = 100 * 1024 * 1024
    #: The control group above all pods'. None: named for cluster and node.
    cgroup_parent: str | None = None
    #: How many creates and starts the runtime does at once; None: by the number of CPUs.
    parallel_starts: int | None = None
    log_max_size: int = 10 * 1024 * 1024
    log_max_files: int = 5
    kubernetes_version: str = "v1.37.0"

    @property
    def cgroup_root(self) -> str:
        return self.cgroup_parent or f"/kubeactors/{self.cluster_name}-{self.node_name}"

    @property
    def identity(self) -> dict[str, str]:
        """The labels of every container of this node of this cluster."""
        return {"kubeactors.io/cluster": self.cluster_name, "kubeactors.io/node": self.node_name}


def cpu_count() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
