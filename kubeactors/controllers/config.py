"""Configuration of the controllers. Times are in seconds; names and defaults follow kube-controller-manager's flags."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ControllerManagerConfig:
    identity: str = "kubeactors-controller-manager"
    leader_elect: bool = True
    # Names of the controllers to run; "*" stands for all, "-name" leaves one out.
    controllers: tuple[str, ...] = ("*",)
    pod_cidr: str = "10.244.0.0/16"
    node_cidr_mask: int = 24
    allocate_node_cidrs: bool = True
    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    node_eviction_rate: float = 0.1  # nodes a second that may begin to lose their pods
    secondary_node_eviction_rate: float = 0.01  # in a zone where most nodes are down, if it is large
    unhealthy_zone_threshold: float = 0.55
    large_cluster_size: int = 50
    terminated_pod_gc_threshold: int = 12500
    pod_gc_period: float = 20.0
    pod_gc_quarantine: float = 40.0
    # The cluster's CA certificate (PEM), published as ConfigMap kube-root-ca.crt in each namespace; None: not at all.
    root_ca: str | None = None
    # Signs the tokens in secrets of service accounts (PEM); None: such secrets are not filled.
    service_account_key: str | None = field(default=None, repr=False)
    sync_timeout: float = 60.0
    lease_name: str = "kube-controller-manager"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
