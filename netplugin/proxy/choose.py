"""Which backend a node uses."""

from kubeactors.client import InformerFactory
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError
from netplugin.names import Names
from netplugin.proxy import ipvs, nftables
from netplugin.proxy.backend import Backend, BackendConfig
from netplugin.proxy.ipvs import IpvsBackend
from netplugin.proxy.nftables import NftablesBackend
from netplugin.proxy.proxier import Proxier

MODES = ("auto", "ipvs", "nftables", "none")


def make_backend(mode: str, config: BackendConfig) -> Backend:
    """The backend of that mode; `auto` takes IPVS where the kernel has it, else nftables.

    Mode `none` (another proxy serves the node) still needs a backend's base rules. Raises NetworkError when the kernel
    lacks what the mode needs. Blocking: call in the thread that the backend will live in.
    """
    choices = {"auto": ("ipvs", "nftables"), "none": ("nftables", "ipvs")}.get(mode, (mode,))
    for choice in choices:
        if choice == "ipvs" and ipvs.available():
            return IpvsBackend(config)
        if choice == "nftables" and nftables.available():
            return NftablesBackend(config)
    missing = {
        "ipvs": "ipvs (kernel modules ip_vs and ip_set, package iptables)",
        "nftables": "nftables (kernel module nf_tables, package libnftables1)",
    }
    raise NetworkError(f"no service proxy can work here: missing {' and '.join(missing[choice] for choice in choices)}")


def make_proxier(
    config: NetworkConfig, names: Names, informers: InformerFactory, namespace: str | None, *, masquerade: bool
) -> Proxier:
    """The service proxy of a node. Raises NetworkError for an unknown mode."""
    if config.proxy_mode not in MODES:
        raise NetworkError(f"proxy mode {config.proxy_mode!r} is none of {', '.join(MODES)}")
    backend_config = BackendConfig(names, config.pod_cidr, masquerade)
    return Proxier(
        informers,
        lambda: make_backend(config.proxy_mode, backend_config),
        node_name=config.node_name,
        min_sync_interval=config.min_sync_interval,
        purge_others=lambda kept: purge_backends(config, names, other_than=kept),
        namespace=namespace,
    )


def purge_backends(config: NetworkConfig, names: Names, *, other_than: str | None = None) -> None:
    """Remove what any backend (but the named one) has made. Blocking. Raises BackendError."""
    backend_config = BackendConfig(names, config.pod_cidr)
    backends: list[Backend] = []
    if other_than != NftablesBackend.name and nftables.available():
        backends.append(NftablesBackend(backend_config))
    if other_than != IpvsBackend.name and ipvs.available():
        backends.append(IpvsBackend(backend_config))
    for backend in backends:
        try:
            backend.purge()
        finally:
            backend.close()
