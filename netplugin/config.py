"""Configuration of a node's network."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NetworkConfig:
    """One node's network: names, places and address ranges.

    Every name in the kernel (bridge, veths, tables, namespaces) derives from `cluster_name` and `node_name`, so that
    several clusters and several nodes (in network namespaces of their own) live beside each other on one machine.
    """

    node_name: str
    node_ip: str  # the address other nodes reach this one by
    cluster_name: str = "kubeactors"
    state_dir: Path = Path("/var/lib/kubeactors/network")  # address leases: survives a restart of the process
    run_dir: Path = Path("/run/kubeactors/network")  # namespace files and records of pods: gone after a reboot
    pod_cidr: str = "10.244.0.0/16"  # the cluster's range, of which each node has a part
    service_cidr: str = "10.96.0.0/12"
    node_port_range: tuple[int, int] = (30000, 32767)
    proxy_mode: str = "auto"  # "auto", "ipvs", "nftables" or "none"
    mtu: int | None = None  # of pod links; None takes the MTU of the link that has node_ip
    masquerade: bool = True  # hide pod addresses behind the node's for targets outside the cluster's pod range
    address_reuse_delay: float = 60.0  # seconds before a released address is given to another pod
    min_sync_interval: float = 0.02  # seconds between service table syncs in a burst (the first one is at once)
    cni_conflist: Path | None = None  # a CNI configuration list that makes pods' networks instead of the bridge
    cni_bin_dirs: tuple[Path, ...] = (Path("/opt/cni/bin"), Path("/usr/lib/cni"))  # where its executables are
