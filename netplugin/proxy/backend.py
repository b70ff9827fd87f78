"""What a backend of the service proxy does. How to add one: CONTRIBUTING.md, "Add a proxy backend"."""

from dataclasses import dataclass
from typing import Protocol

from netplugin.names import Names
from netplugin.proxy.table import Rules

# The mark of a packet whose source must become the node's address: the bit that kube-proxy uses for it.
MASQUERADE_MARK = 0x4000


class BackendError(Exception):
    """The kernel's tables could not be read or written; the text says why. What was there before still works."""


@dataclass(frozen=True)
class BackendConfig:
    """What rules beyond the services' depend on."""

    names: Names
    pod_cidr: str  # of the cluster: its addresses are never masqueraded towards each other
    masquerade: bool = True  # pods' connections to anything outside pod_cidr leave with the node's address


class Backend(Protocol):
    """Realises a table in the kernel. Blocking; all calls come from one thread, which is in the node's namespace."""

    name: str

    def prepare(self) -> None:
        """Base rules (masquerading of what leaves the cluster). Service rules of an earlier process stay in force."""

    def sync(self, rules: Rules) -> None:
        """Make the kernel have exactly these rules: write the difference, so that what does not change has no gap.

        Established connections to endpoints that are gone go on. Raises BackendError.
        """

    def pending(self) -> float | None:
        """Seconds until `sync` should be called again although nothing changed (draining endpoints), or None."""

    def close(self) -> None:
        """Release sockets; rules stay."""

    def purge(self) -> None:
        """Remove everything. Idempotent. Raises BackendError."""
