"""IPVS through generic netlink: virtual servers and their destinations. Blocking.

Format: include/uapi/linux/ip_vs.h. Each change is a message; many go in one system call (netplugin.netlink).
"""

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netplugin import netlink
from netplugin.netlink import ENOENT, NETLINK_GENERIC, Message, NetlinkError, NetlinkSocket
from netplugin.proxy.table import Endpoint

_GENL_ID_CTRL, _CTRL_GETFAMILY, _CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 0x10, 3, 1, 2
_NEW_SERVICE, _SET_SERVICE, _DEL_SERVICE, _GET_SERVICE, _NEW_DEST, _SET_DEST, _DEL_DEST, _GET_DEST = range(1, 9)
_ATTR_SERVICE, _ATTR_DEST = 1, 2
_SVC_AF, _SVC_PROTOCOL, _SVC_ADDR, _SVC_PORT, _SVC_FWMARK, _SVC_SCHED, _SVC_FLAGS, _SVC_TIMEOUT, _SVC_NETMASK = range(
    1, 10
)
_DEST_ADDR, _DEST_PORT, _DEST_FWD_METHOD, _DEST_WEIGHT, _DEST_U_THRESH, _DEST_L_THRESH = range(1, 7)
_DEST_ACTIVE, _DEST_INACTIVE = 7, 8
_F_PERSISTENT = 0x1
_FWD_MASQUERADE = 0
_ONE_CLIENT = 0xFFFFFFFF  # netmask: persistence is per address
_PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP, "SCTP": 132}
_NAMES = {number: name for name, number in _PROTOCOLS.items()}
_SCHEDULER = "rr"


class VirtualServer(NamedTuple):
    """What clients connect to, on this node."""

    address: str
    protocol: str
    port: int


@dataclass(frozen=True)
class Destination:
    """An endpoint as the kernel has it. Weight 0 gets no new connections."""

    endpoint: Endpoint
    weight: int
    connections: int  # active and lingering ones


class IpvsSocket:
    """A generic netlink socket for IPVS. It stays in the namespace of the thread that made it."""

    def __init__(self) -> None:
        """Raises NetlinkError (ENOENT) when the kernel has no IPVS."""
        self._socket = NetlinkSocket(NETLINK_GENERIC)
        try:
            self._family = self._find_family()
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def send(self, messages: Sequence[Message]) -> None:
        """Raises NetlinkError for the first that was refused."""
        self._socket.request(*messages)

    # -- messages --------------------------------------------------------------------------------------------------

    def new_server(self, server: VirtualServer, persistence: int) -> Message:
        return self._message(_NEW_SERVICE, _service(server, persistence))

    def set_server(self, server: VirtualServer, persistence: int) -> Message:
        return self._message(_SET_SERVICE, _service(server, persistence))

    def delete_server(self, server: VirtualServer) -> Message:
        return self._message(_DEL_SERVICE, _service(server))

    def new_destination(self, server: VirtualServer, endpoint: Endpoint) -> Message:
        return self._message(_NEW_DEST, _service(server), _destination(endpoint, 1))

    def set_weight(self, server: VirtualServer, endpoint: Endpoint, weight: int) -> Message:
        return self._message(_SET_DEST, _service(server), _destination(endpoint, weight))

    def delete_destination(self, server: VirtualServer, endpoint: Endpoint) -> Message:
        return self._message(_DEL_DEST, _service(server), _destination(endpoint, 0))

    # -- what the kernel has -----------------------------------------------------------------------------------------

    def servers(self) -> dict[VirtualServer, int]:
        """Persistence in seconds (0: none) by IPv4 virtual server."""
        found: dict[VirtualServer, int] = {}
        for _, payload in self._socket.dump(self._family, _header(_GET_SERVICE)):
            service = netlink.parse_attrs(netlink.parse_attrs(payload, 4)[_ATTR_SERVICE])
            family = struct.unpack("=H", service[_SVC_AF])[0]
            if family != socket.AF_INET or _SVC_ADDR not in service:
                continue  # IPv6, or selected by a firewall mark: not ours
            flags = struct.unpack_from("=I", service[_SVC_FLAGS])[0]
            protocol = struct.unpack("=H", service[_SVC_PROTOCOL])[0]
            server = VirtualServer(
                socket.inet_ntoa(service[_SVC_ADDR][:4]),
                _NAMES.get(protocol, str(protocol)),
                int.from_bytes(service[_SVC_PORT], "big"),
            )
            timeout: int = struct.unpack("=I", service[_SVC_TIMEOUT])[0]
            found[server] = timeout if flags & _F_PERSISTENT else 0
        return found

    def destinations(self, server: VirtualServer) -> list[Destination]:
        """The server's destinations, none when there is no such server."""
        found: list[Destination] = []
        try:
            answers = self._socket.dump(self._family, _header(_GET_DEST) + _service(server))
        except NetlinkError as error:
            if error.errno in (ENOENT, netlink.ESRCH):
                return []
            raise
        for _, payload in answers:
            dest = netlink.parse_attrs(netlink.parse_attrs(payload, 4)[_ATTR_DEST])
            weight, active, inactive = (
                struct.unpack("=I", dest[kind])[0] for kind in (_DEST_WEIGHT, _DEST_ACTIVE, _DEST_INACTIVE)
            )
            address = socket.inet_ntoa(dest[_DEST_ADDR][:4])
            endpoint = Endpoint(address, int.from_bytes(dest[_DEST_PORT], "big"))
            found.append(Destination(endpoint, weight, active + inactive))
        return found

    def _message(self, command: int, *attrs: bytes) -> Message:
        return Message(self._family, 0, _header(command) + b"".join(attrs))

    def _find_family(self) -> int:
        request = struct.pack("=BBH", _CTRL_GETFAMILY, 1, 0) + netlink.text(_CTRL_ATTR_FAMILY_NAME, "IPVS")
        for _, payload in self._socket.get(_GENL_ID_CTRL, request):
            family: int = struct.unpack("=H", netlink.parse_attrs(payload, 4)[_CTRL_ATTR_FAMILY_ID])[0]
            return family
        raise NetlinkError(ENOENT, "no IPVS in the kernel", 0)


def _header(command: int) -> bytes:
    return struct.pack("=BBH", command, 1, 0)


# Attributes of fixed layout at one stroke: a table has tens of thousands. Each is length, type, value, padding.
_KEY = struct.Struct("=HH HHH2x HHH2x HH4s12x HH2s2x")  # nest: family, protocol, address, port
_DESTINATION = struct.Struct("=HH HH4s12x HH2s2x HHI HHI HHI HHI")  # nest: address, port, method, weight, thresholds
_NEST = netlink.NLA_F_NESTED


def _key(server: VirtualServer, more: int = 0) -> bytes:
    """The attributes that name a virtual server, opening a nest in which `more` bytes follow."""
    return _KEY.pack(
        *(_KEY.size + more, _ATTR_SERVICE | _NEST),
        *(6, _SVC_AF, socket.AF_INET),
        *(6, _SVC_PROTOCOL, _PROTOCOLS[server.protocol]),
        *(20, _SVC_ADDR, socket.inet_aton(server.address)),
        *(6, _SVC_PORT, server.port.to_bytes(2, "big")),
    )


def _service(server: VirtualServer, persistence: int | None = None) -> bytes:
    if persistence is None:
        return _key(server)
    flags = _F_PERSISTENT if persistence else 0
    settings = (
        netlink.text(_SVC_SCHED, _SCHEDULER)
        + netlink.attr(_SVC_FLAGS, struct.pack("=II", flags, 0xFFFFFFFF))
        + netlink.u32(_SVC_TIMEOUT, persistence)
        + netlink.u32(_SVC_NETMASK, _ONE_CLIENT)
    )
    return _key(server, len(settings)) + settings


def _destination(endpoint: Endpoint, weight: int) -> bytes:
    return _DESTINATION.pack(
        *(_DESTINATION.size, _ATTR_DEST | _NEST),
        *(20, _DEST_ADDR, socket.inet_aton(endpoint.address)),
        *(6, _DEST_PORT, endpoint.port.to_bytes(2, "big")),
        *(8, _DEST_FWD_METHOD, _FWD_MASQUERADE),
        *(8, _DEST_WEIGHT, weight),
        *(8, _DEST_U_THRESH, 0),
        *(8, _DEST_L_THRESH, 0),
    )
