"""Sets of addresses and ports for iptables rules, through netlink. Blocking.

Format: include/uapi/linux/netfilter/ipset/ip_set.h.
"""

import errno
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from netplugin import netlink
from netplugin.netlink import ENOENT, NETLINK_NETFILTER, Message, NetlinkError, NetlinkSocket

_SUBSYSTEM = 6 << 8
_CREATE, _DESTROY, _LIST, _ADD, _DEL = 2, 3, 7, 9, 10
_PROTOCOL_VERSION = 6  # the oldest that has all of this
_A_PROTOCOL, _A_SETNAME, _A_TYPENAME, _A_REVISION, _A_FAMILY, _A_DATA, _A_ADT = 1, 2, 3, 4, 5, 7, 8
_D_IP, _D_PORT, _D_PROTO, _D_MAXELEM, _D_IP2 = 1, 4, 7, 19, 20
_IPADDR_IPV4 = 1
_NFGENMSG = struct.pack("=BBH", socket.AF_INET, 0, 0)
_MAX_ELEMENTS = 1 << 20
_PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "SCTP": 132}
_NAMES = {number: name for name, number in _PROTOCOLS.items()}

HASH_IP, HASH_IP_PORT, HASH_IP_PORT_IP = "hash:ip", "hash:ip,port", "hash:ip,port,ip"


class Entry(NamedTuple):
    """An element of a set; which parts count is the set's type."""

    address: str
    protocol: str = ""
    port: int = 0
    second: str = ""


class IpsetSocket:
    """A netlink socket for sets. It stays in the namespace of the thread that made it."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(NETLINK_NETFILTER)

    def close(self) -> None:
        self._socket.close()

    def create(self, name: str, kind: str) -> None:
        """Idempotent. Raises NetlinkError, also when a set of that name has another type."""
        data = netlink.nested(
            _A_DATA, netlink.attr(_D_MAXELEM | netlink.NLA_F_NET_BYTEORDER, struct.pack(">I", _MAX_ELEMENTS))
        )
        attrs = [
            netlink.text(_A_TYPENAME, kind),
            netlink.u8(_A_REVISION, 0),
            netlink.u8(_A_FAMILY, socket.AF_INET),
            data,
        ]
        self._socket.request(_message(_CREATE, name, *attrs))

    def destroy(self, name: str) -> None:
        """Idempotent."""
        netlink.ignore(self._socket.send([_message(_DESTROY, name)]), ENOENT)

    def change(self, gone: Iterable[tuple[str, Entry]], new: Iterable[tuple[str, Entry]]) -> None:
        """Delete and add elements, each as (set, element). Idempotent. Raises NetlinkError."""
        messages = [_message(_DEL, name, _data(entry)) for name, entry in gone]
        messages += [_message(_ADD, name, _data(entry)) for name, entry in new]
        self._socket.request(*messages)

    def entries(self, name: str) -> set[Entry]:
        """The set's elements, none when there is no such set."""
        found: set[Entry] = set()
        try:
            request = _NFGENMSG + netlink.u8(_A_PROTOCOL, _PROTOCOL_VERSION) + netlink.text(_A_SETNAME, name)
            answers = self._socket.dump(_SUBSYSTEM | _LIST, request)
        except NetlinkError as error:
            if error.errno == errno.ENOENT:
                return found
            raise
        for _, payload in answers:
            elements = netlink.parse_attrs(payload, len(_NFGENMSG)).get(_A_ADT, b"")
            found.update(_entry(data) for kind, data in netlink.parse_list(elements) if kind == _A_DATA)
        return found


def _message(command: int, name: str, *attrs: bytes) -> Message:
    payload = _NFGENMSG + netlink.u8(_A_PROTOCOL, _PROTOCOL_VERSION) + netlink.text(_A_SETNAME, name)
    return Message(_SUBSYSTEM | command, 0, payload + b"".join(attrs))


def _ip(kind: int, address: str) -> bytes:
    inner = netlink.attr(_IPADDR_IPV4 | netlink.NLA_F_NET_BYTEORDER, socket.inet_aton(address))
    return netlink.nested(kind, inner)


def _data(entry: Entry) -> bytes:
    attrs = [_ip(_D_IP, entry.address)]
    if entry.protocol:
        attrs.append(netlink.attr(_D_PORT | netlink.NLA_F_NET_BYTEORDER, struct.pack(">H", entry.port)))
        attrs.append(netlink.u8(_D_PROTO, _PROTOCOLS[entry.protocol]))
    if entry.second:
        attrs.append(_ip(_D_IP2, entry.second))
    return netlink.nested(_A_DATA, *attrs)


def _entry(data: bytes) -> Entry:
    attrs = netlink.parse_attrs(data)

    def address(kind: int) -> str:
        return socket.inet_ntoa(netlink.parse_attrs(attrs[kind])[_IPADDR_IPV4]) if kind in attrs else ""

    protocol = _NAMES.get(attrs[_D_PROTO][0], "") if _D_PROTO in attrs else ""
    port = int.from_bytes(attrs[_D_PORT], "big") if _D_PORT in attrs else 0
    return Entry(address(_D_IP), protocol, port, address(_D_IP2))
