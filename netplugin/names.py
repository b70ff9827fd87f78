"""Names that one node's network uses in the kernel.

They derive from the cluster's and the node's name alone, so that a fresh process finds (and can purge) what an
earlier one made, and so that several clusters, or several nodes in network namespaces of their own, share one
machine. Interface names have at most 15 characters (IFNAMSIZ) and must be unique on the machine, because both ends of
a veth pass through one namespace.
"""

import base64
import hashlib
from dataclasses import dataclass


def _short_hash(text: str, characters: int) -> str:
    """`characters` of base32 (5 bits each), lower case."""
    digest = hashlib.blake2s(text.encode(), digest_size=16).digest()
    return base64.b32encode(digest).decode().lower()[:characters]


@dataclass(frozen=True)
class Names:
    """The names of one node of one cluster."""

    cluster_name: str
    node_name: str

    @property
    def id(self) -> str:
        """Five characters (25 bits) that stand for this node of this cluster."""
        return _short_hash(f"{self.cluster_name}\0{self.node_name}", 5)

    @property
    def link_prefix(self) -> str:
        """What all interface names of this node begin with."""
        return f"ka{self.id}"

    @property
    def bridge(self) -> str:
        return f"{self.link_prefix}br0"

    @property
    def dummy(self) -> str:
        """The device that carries service addresses for IPVS."""
        return f"{self.link_prefix}vs0"

    def veth(self, uid: str) -> str:
        """The host's end of a pod's link: 8 characters (40 bits) stand for the pod."""
        return f"{self.link_prefix}{_short_hash(uid, 8)}"

    @property
    def table(self) -> str:
        """The nftables table."""
        return f"kubeactors_{self.id}"

    @property
    def chain_prefix(self) -> str:
        """Prefix of iptables chains and ipsets, where there is no nftables."""
        return f"KA-{self.id.upper()}-"

    @property
    def netns_prefix(self) -> str:
        return f"ka-{self.id}-"

    def netns(self, uid: str) -> str:
        """File name of a pod's network namespace."""
        return f"{self.netns_prefix}{uid}"
