"""Links, addresses and routes through rtnetlink. Blocking: call from worker threads, in the namespace that is meant.

Message formats: rtnetlink(7), include/uapi/linux/if_link.h.
"""

import ipaddress
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from netplugin import netlink
from netplugin.netlink import (
    EEXIST,
    ENODEV,
    ESRCH,
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    DumpInterrupted,
    Message,
    NetlinkError,
    NetlinkSocket,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_PROTINFO, _IFLA_LINKINFO = 1, 3, 4, 10, 12, 18
_IFLA_IFALIAS, _IFLA_NET_NS_FD = 20, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_INFO_SLAVE_DATA = 1, 2, 5
_VETH_INFO_PEER = 1
_IFLA_BRPORT_MODE = 4
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 5, 6, 7, 15
_RT_TABLE_MAIN, _RTN_UNICAST = 254, 1
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
_RTPROT_BOOT = 3

IFF_UP = 1
ROUTE_PROTOCOL = (
    75  # marks our routes (`ip route show proto 75`); an unassigned number of include/uapi/linux/rtnetlink.h
)

_ifinfo = struct.Struct("=BxHiII")
_ifaddr = struct.Struct("=BBBBi")
_rtmsg = struct.Struct("=BBBBBBBBI")


@dataclass(frozen=True)
class Link:
    """An interface as the kernel shows it."""

    index: int
    name: str
    kind: str  # "veth", "bridge", "dummy", …; "" for hardware and lo
    up: bool
    mtu: int
    mac: str
    master: int  # index of the bridge it is a port of, or 0
    hairpin: bool


@dataclass(frozen=True)
class Route:
    """A route of the main table. `gateway` None: on the link itself; `link` 0: the link that leads to the gateway."""

    destination: str  # CIDR
    gateway: str | None
    link: int
    metric: int = 0
    source: str | None = None


def mac_for(address: str) -> str:
    """A locally administered address made from an IPv4 address:

    it never changes, so no neighbour's cache goes stale.
    """
    return "0a:58:" + ":".join(f"{octet:02x}" for octet in ipaddress.IPv4Address(address).packed)


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _ip(value: str) -> bytes:
    return socket.inet_aton(value)


def _info(index: int = 0, flags: int = 0, change: int = 0, family: int = socket.AF_UNSPEC) -> bytes:
    return _ifinfo.pack(family, 0, index, flags, change)


def new_veth(name: str, peer: str, peer_namespace: int, *, mtu: int, master: int, peer_mac: str, alias: str) -> Message:
    """A veth whose host end is an up port of a bridge and whose other end is born inside a namespace (by file
    descriptor).
    """
    other_end = (
        _info()
        + netlink.text(_IFLA_IFNAME, peer)
        + netlink.u32(_IFLA_MTU, mtu)
        + netlink.attr(_IFLA_ADDRESS, _mac(peer_mac))
        + netlink.u32(_IFLA_NET_NS_FD, peer_namespace)
    )
    payload = (
        _info(flags=IFF_UP, change=IFF_UP)
        + netlink.text(_IFLA_IFNAME, name)
        + netlink.u32(_IFLA_MTU, mtu)
        + netlink.u32(_IFLA_MASTER, master)
        + netlink.text(_IFLA_IFALIAS, alias[:255])
        + netlink.nested(
            _IFLA_LINKINFO,
            netlink.text(_IFLA_INFO_KIND, "veth"),
            netlink.nested(_IFLA_INFO_DATA, netlink.attr(_VETH_INFO_PEER, other_end)),
        )
    )
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload)


def new_link(name: str, kind: str, *, mtu: int, mac: str | None = None) -> Message:
    """A bridge or dummy device, up."""
    payload = (
        _info(flags=IFF_UP, change=IFF_UP)
        + netlink.text(_IFLA_IFNAME, name)
        + netlink.u32(_IFLA_MTU, mtu)
        + (netlink.attr(_IFLA_ADDRESS, _mac(mac)) if mac else b"")
        + netlink.nested(_IFLA_LINKINFO, netlink.text(_IFLA_INFO_KIND, kind))
    )
    return Message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload)


def set_up(index: int) -> Message:
    return Message(RTM_NEWLINK, 0, _info(index, IFF_UP, IFF_UP))


def set_mtu(index: int, mtu: int) -> Message:
    return Message(RTM_NEWLINK, 0, _info(index) + netlink.u32(_IFLA_MTU, mtu))


def set_mac(index: int, mac: str) -> Message:
    return Message(RTM_NEWLINK, 0, _info(index) + netlink.attr(_IFLA_ADDRESS, _mac(mac)))


def set_hairpin(index: int) -> Message:
    """Let a bridge port send a frame back to where it came from: a pod that reaches itself through a Service."""
    payload = _info(index, family=socket.AF_BRIDGE) + netlink.nested(_IFLA_PROTINFO, netlink.u8(_IFLA_BRPORT_MODE, 1))
    return Message(RTM_SETLINK, 0, payload)


def delete_link(name: str) -> Message:
    return Message(RTM_DELLINK, 0, _info() + netlink.text(_IFLA_IFNAME, name))


def add_address(index: int, address: str, prefix: int) -> Message:
    payload = _ifaddr.pack(socket.AF_INET, prefix, 0, _RT_SCOPE_UNIVERSE, index)
    payload += netlink.attr(_IFA_LOCAL, _ip(address)) + netlink.attr(_IFA_ADDRESS, _ip(address))
    return Message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload)


def delete_address(index: int, address: str, prefix: int) -> Message:
    payload = _ifaddr.pack(socket.AF_INET, prefix, 0, _RT_SCOPE_UNIVERSE, index)
    return Message(RTM_DELADDR, 0, payload + netlink.attr(_IFA_LOCAL, _ip(address)))


def _route_payload(route: Route, protocol: int) -> bytes:
    network = ipaddress.IPv4Network(route.destination)
    scope = _RT_SCOPE_UNIVERSE if route.gateway else _RT_SCOPE_LINK
    header = (socket.AF_INET, network.prefixlen, 0, 0, _RT_TABLE_MAIN, protocol, scope, _RTN_UNICAST, 0)
    return (
        _rtmsg.pack(*header)
        + (netlink.attr(_RTA_DST, network.network_address.packed) if network.prefixlen else b"")
        + (netlink.attr(_RTA_GATEWAY, _ip(route.gateway)) if route.gateway else b"")
        + (netlink.u32(_RTA_OIF, route.link) if route.link else b"")
        + (netlink.u32(_RTA_PRIORITY, route.metric) if route.metric else b"")
        + (netlink.attr(_RTA_PREFSRC, _ip(route.source)) if route.source else b"")
    )


def set_route(route: Route, protocol: int = ROUTE_PROTOCOL) -> Message:
    """Add the route, in place of one with the same destination and metric."""
    return Message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route_payload(route, protocol))


def delete_route(route: Route, protocol: int = ROUTE_PROTOCOL) -> Message:
    return Message(RTM_DELROUTE, 0, _route_payload(route, protocol))


def find_link(sock: NetlinkSocket, name: str) -> Link | None:
    """The interface of that name, or None."""
    try:
        answers = sock.get(RTM_GETLINK, _info() + netlink.text(_IFLA_IFNAME, name))
    except NetlinkError as error:
        if error.errno == ENODEV:
            return None
        raise
    return _link(answers[0][1])


def list_links(sock: NetlinkSocket) -> list[Link]:
    return [_link(payload) for _, payload in _dump(sock, RTM_GETLINK, _info())]


def list_addresses(sock: NetlinkSocket, index: int | None = None) -> list[tuple[int, str, int]]:
    """(interface index, address, prefix length) of IPv4 addresses."""
    found: list[tuple[int, str, int]] = []
    for _, payload in _dump(sock, RTM_GETADDR, _ifaddr.pack(socket.AF_INET, 0, 0, 0, 0)):
        _, prefix, _, _, link = _ifaddr.unpack_from(payload)
        if index is not None and link != index:
            continue
        attrs = netlink.parse_attrs(payload, _ifaddr.size)
        address = attrs.get(_IFA_LOCAL) or attrs[_IFA_ADDRESS]
        found.append((link, socket.inet_ntoa(address), prefix))
    return found


def list_routes(sock: NetlinkSocket, protocol: int | None = ROUTE_PROTOCOL) -> list[Route]:
    """IPv4 routes of the main table that `protocol` marks (None: all)."""
    found: list[Route] = []
    for _, payload in _dump(sock, RTM_GETROUTE, _rtmsg.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
        _, length, _, _, table, marked, _, _, _ = _rtmsg.unpack_from(payload)
        attrs = netlink.parse_attrs(payload, _rtmsg.size)
        table = struct.unpack("=I", attrs[_RTA_TABLE])[0] if _RTA_TABLE in attrs else table
        if table != _RT_TABLE_MAIN or (protocol is not None and marked != protocol) or _RTA_OIF not in attrs:
            continue
        found.append(
            Route(
                destination=f"{socket.inet_ntoa(attrs.get(_RTA_DST, bytes(4)))}/{length}",
                gateway=socket.inet_ntoa(attrs[_RTA_GATEWAY]) if _RTA_GATEWAY in attrs else None,
                link=struct.unpack("=I", attrs[_RTA_OIF])[0],
                metric=struct.unpack("=I", attrs[_RTA_PRIORITY])[0] if _RTA_PRIORITY in attrs else 0,
                source=socket.inet_ntoa(attrs[_RTA_PREFSRC]) if _RTA_PREFSRC in attrs else None,
            )
        )
    return found


def delete_links(sock: NetlinkSocket, names: Iterable[str]) -> None:
    """Idempotent."""
    netlink.ignore(sock.send([delete_link(name) for name in names]), ENODEV)


def ensure_link(sock: NetlinkSocket, name: str, kind: str, *, mtu: int, mac: str | None = None) -> Link:
    """The device, made if it is missing, corrected if it differs. Raises NetlinkError."""
    netlink.ignore(sock.send([new_link(name, kind, mtu=mtu, mac=mac)]), EEXIST)
    link = find_link(sock, name)
    if link is None:
        raise NetlinkError(ENODEV, f"{name} vanished while it was set up", 0)
    corrections: list[Message] = []
    if mac is not None and link.mac != mac:
        corrections.append(set_mac(link.index, mac))
    if link.mtu != mtu:
        corrections.append(set_mtu(link.index, mtu))
    if not link.up:
        corrections.append(set_up(link.index))
    sock.request(*corrections)
    return link


def delete_routes(sock: NetlinkSocket, routes: Iterable[Route]) -> None:
    """Idempotent."""
    netlink.ignore(sock.send([delete_route(route) for route in routes]), ESRCH, ENODEV)


def open_route_socket() -> NetlinkSocket:
    return NetlinkSocket(NETLINK_ROUTE)


def _dump(sock: NetlinkSocket, kind: int, payload: bytes) -> list[tuple[int, bytes]]:
    for _ in range(5):
        try:
            return sock.dump(kind, payload)
        except DumpInterrupted:
            continue
    raise NetlinkError(16, "the kernel's tables change faster than they can be listed", 0)  # EBUSY


def _link(payload: bytes) -> Link:
    _, _, index, flags, _ = _ifinfo.unpack_from(payload)
    attrs = netlink.parse_attrs(payload, _ifinfo.size)
    info = netlink.parse_attrs(attrs.get(_IFLA_LINKINFO, b""))
    port = netlink.parse_attrs(info.get(_IFLA_INFO_SLAVE_DATA, b""))
    return Link(
        index=index,
        name=attrs[_IFLA_IFNAME].rstrip(b"\0").decode(),
        kind=info.get(_IFLA_INFO_KIND, b"").rstrip(b"\0").decode(),
        up=bool(flags & IFF_UP),
        mtu=struct.unpack("=I", attrs[_IFLA_MTU])[0],
        mac=":".join(f"{octet:02x}" for octet in attrs.get(_IFLA_ADDRESS, b"")),
        master=struct.unpack("=I", attrs[_IFLA_MASTER])[0] if _IFLA_MASTER in attrs else 0,
        hairpin=port.get(_IFLA_BRPORT_MODE, b"\0")[0] == 1,
    )
