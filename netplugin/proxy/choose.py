"""Which backend a node uses."""

from netplugin.interface import NetworkError
from netplugin.proxy import ipvs, nftables
from netplugin.proxy.backend import Backend, BackendConfig
from netplugin.proxy.ipvs import IpvsBackend
from netplugin.proxy.nftables import NftablesBackend

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


def purge_backends(config: BackendConfig, *, other_than: str | None = None) -> None:
    """Remove what any backend (but the named one) has made. Blocking. Raises BackendError."""
    backends: list[Backend] = []
    if nftables.available() and other_than != NftablesBackend.name:
        backends.append(NftablesBackend(config))
    if ipvs.available() and other_than != IpvsBackend.name:
        backends.append(IpvsBackend(config))
    for backend in backends:
        try:
            backend.purge()
        finally:
            backend.close()
