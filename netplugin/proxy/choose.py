"""Which backend a node uses."""

from netplugin.interface import NetworkError
from netplugin.proxy import nftables
from netplugin.proxy.backend import Backend, BackendConfig
from netplugin.proxy.nftables import NftablesBackend

MODES = ("auto", "ipvs", "nftables", "none")


def make_backend(mode: str, config: BackendConfig) -> Backend:
    """The backend of that mode; `auto` takes IPVS where the kernel has it, else nftables.

    Mode `none` (another proxy serves the node) still needs a backend's base rules. Raises NetworkError when the kernel
    lacks what the mode needs. Blocking: call in the thread that the backend will live in.
    """
    if nftables.available():
        return NftablesBackend(config)
    raise NetworkError("the kernel has neither IPVS nor nftables, or the libraries for it are missing (libnftables1)")


def purge_backends(config: BackendConfig) -> None:
    """Remove what any backend has made. Blocking. Raises BackendError."""
    if nftables.available():
        backend = NftablesBackend(config)
        try:
            backend.purge()
        finally:
            backend.close()
