"""Network namespaces for the members of a store, which this process reaches, and cuts between them.

    with MemberNet(["m0", "m1", "m2"]) as net:
        subprocess.Popen([*net.inside("m0"), "etcd", "--listen-peer-urls", f"http://{net.address('m0')}:2380"])
        net.cut("m0", "m1")     # nothing that m0 sends reaches m1; what m1 sends still reaches m0
        net.heal()

Names and addresses (of 198.18.0.0/15, which RFC 2544 sets aside for tests) are unique, so several may run beside each
other. The connection between this process and each member is never cut.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from netplugin import links, netns, sysctl

NETNS_DIR = Path("/run/netns")
_OWN_NAMESPACE = "/proc/self/ns/net"
_RULES = """
table inet cuts {
  set senders { type ipv4_addr; }
  chain input { type filter hook input priority 0; policy accept; ip saddr @senders drop; }
}
"""


class MemberNet:
    """Use as a context manager; it leaves nothing behind. Needs root."""

    def __init__(self, names: Sequence[str]) -> None:
        self._id = f"kn{secrets.token_hex(3)}"
        self._subnet = _free_subnet()
        self._numbers: dict[str, int] = {}
        self._names = list(names)
        self._namespaces: list[Path] = []
        self._has_cuts: set[str] = set()

    def __enter__(self) -> Self:
        try:
            switch = self._namespace("sw")
            netns.run(switch, self._make_switch)
            self._connect(switch, f"{self._id}h", "host", _OWN_NAMESPACE, 254)
            for name in self._names:
                self.add(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError), links.open_route_socket() as sock:
            links.delete_links(sock, [f"{self._id}h"])
        while self._namespaces:
            netns.remove(self._namespaces.pop())

    def add(self, name: str) -> None:
        """One more member's namespace."""
        number = len(self._numbers) + 1
        self._numbers[name] = number
        namespace = self._namespace(name)
        self._connect(self._path("sw"), "uplink", name, str(namespace), number)
        self._nft(name, _RULES)

    def has(self, name: str) -> bool:
        return name in self._numbers

    def address(self, name: str) -> str:
        return f"{self._subnet}.{self._numbers[name]}"

    def inside(self, name: str) -> list[str]:
        """What to put before a command so that it runs in the member's namespace, under the same process id."""
        return ["nsenter", f"--net={self._path(name)}"]

    def cut(self, sender: str, receiver: str) -> None:
        self._has_cuts.add(receiver)
        self._nft(receiver, f"add element inet cuts senders {{ {self.address(sender)} }}")

    def heal(self) -> None:
        """End all cuts."""
        while self._has_cuts:
            self._nft(self._has_cuts.pop(), "flush set inet cuts senders")

    def _path(self, name: str) -> Path:
        return NETNS_DIR / f"{self._id}-{name}"

    def _namespace(self, name: str) -> Path:
        NETNS_DIR.mkdir(parents=True, exist_ok=True)
        path = self._path(name)
        netns.create(path, lambda: None)
        self._namespaces.append(path)
        return path

    def _nft(self, name: str, rules: str) -> None:
        subprocess.run([*self.inside(name), "nft", "-f", "-"], input=rules, text=True, check=True, timeout=20)

    def _make_switch(self) -> None:
        with links.open_route_socket() as sock:
            sock.request(links.set_up(1))
            links.ensure_link(sock, "switch", "bridge", mtu=1500, mac=links.mac_for(f"{self._subnet}.253"))
        # A switch only: what it passes on must not be filtered or translated here.
        sysctl.set_value("net/bridge/bridge-nf-call-iptables", "0", required=False)

    def _connect(self, switch: Path, link: str, name: str, namespace: str, number: int) -> None:
        """A pair from the switch to `namespace`, called `link` there, with the address of that number."""
        address = f"{self._subnet}.{number}"

        def attach() -> None:
            with links.open_route_socket() as sock, open(namespace) as target:
                bridge = links.find_link(sock, "switch")
                assert bridge is not None
                sock.request(
                    links.new_veth(
                        f"{self._id}{number}",
                        link,
                        target.fileno(),
                        mtu=1500,
                        master=bridge.index,
                        peer_mac=links.mac_for(address),
                        alias=name,
                    )
                )

        def configure() -> None:
            with links.open_route_socket() as sock:
                found = links.find_link(sock, link)
                assert found is not None
                sock.request(links.add_address(found.index, address, 24), links.set_up(found.index), links.set_up(1))

        netns.run(switch, attach)
        netns.run(namespace, configure)


def _free_subnet() -> str:
    """The first three numbers of a /24 that this machine does not use."""
    with links.open_route_socket() as sock:
        used = {address.rsplit(".", 1)[0] for _, address, _ in links.list_addresses(sock)}
    return random.choice(
        [subnet for n in range(512) if (subnet := f"198.{18 + n // 256}.{n % 256}") not in used],
    )
