"""The node's bridge: where its pods are attached, with the first address of each range as their gateway.

Blocking: call from worker threads in the node's namespace.
"""

import ipaddress
import zlib

from netplugin import links, netlink, sysctl
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError
from netplugin.ipam import Range, gateway
from netplugin.names import Names
from netplugin.netlink import EEXIST, NetlinkSocket

_DEFAULT_MTU = 1500


def parse_ranges(pod_cidrs: tuple[str, ...] | list[str]) -> tuple[Range, ...]:
    """Raises NetworkError for what is no IPv4 range (IPv6 pod ranges are not built yet)."""
    ranges: list[Range] = []
    for cidr in pod_cidrs:
        try:
            ranges.append(ipaddress.IPv4Network(cidr))
        except ValueError as error:
            raise NetworkError(f"pod range {cidr!r} is not an IPv4 network: {error}") from error
    if not ranges:
        raise NetworkError("the node has no pod range")
    return tuple(ranges)


def node_mtu(sock: NetlinkSocket, config: NetworkConfig) -> int:
    """The MTU of the link that other nodes reach this one by, so that pods' packets pass it unfragmented."""
    if config.mtu is not None:
        return config.mtu
    for index, address, _ in links.list_addresses(sock):
        if address == config.node_ip:
            for link in links.list_links(sock):
                if link.index == index and link.name != "lo":
                    return link.mtu
    return _DEFAULT_MTU


def set_up(config: NetworkConfig, names: Names, ranges: tuple[Range, ...]) -> int:
    """Make or correct the bridge and the settings that routing pods needs; returns the pods' MTU. Idempotent.

    Raises NetworkError or OSError.
    """
    with links.open_route_socket() as sock:
        mtu = node_mtu(sock, config)
        # A bridge without a fixed address takes its ports' lowest, and changes it under the pods' neighbour caches.
        bridge = links.ensure_link(sock, names.bridge, "bridge", mtu=mtu, mac=links.mac_for(str(gateway(ranges[0]))))
        wanted = {(str(gateway(node_range)), node_range.prefixlen) for node_range in ranges}
        present = {(address, prefix) for _, address, prefix in links.list_addresses(sock, bridge.index)}
        sock.request(
            *(links.delete_address(bridge.index, address, prefix) for address, prefix in sorted(present - wanted)),
            *(links.add_address(bridge.index, address, prefix) for address, prefix in sorted(wanted - present)),
        )
        # Processes of the node need some route to service addresses before they are translated, even without a default
        # route. The metric keeps clusters that share a machine and a service range apart.
        metric = 4000 + zlib.crc32(names.id.encode()) % 1000
        netlink.ignore(
            sock.send([links.set_route(links.Route(config.service_cidr, None, bridge.index, metric))]), EEXIST
        )
    sysctl.set_value("net/ipv4/ip_forward", "1")
    # Answers between pods of one bridge must pass the translation that the request went through.
    sysctl.set_value("net/bridge/bridge-nf-call-iptables", "1")
    # Loose, whatever conf.all says (the larger value counts): a Service's answer may leave by another link.
    sysctl.set_value(f"net/ipv4/conf/{names.bridge}/rp_filter", "2")
    return mtu


def health(names: Names) -> str:
    """Either "ok" or what is wrong with the bridge."""
    with links.open_route_socket() as sock:
        link = links.find_link(sock, names.bridge)
        if link is None:
            return f"bridge {names.bridge} is missing"
        if not link.up:
            return f"bridge {names.bridge} is down"
    return "ok"
