"""Names in the kernel, and netlink's encoding."""

import socket
import struct

import pytest

from netplugin import links, netlink
from netplugin.links import list_links, mac_for
from netplugin.names import Names
from netplugin.netlink import NETLINK_ROUTE, Message, NetlinkError, NetlinkSocket


def test_names_fit_and_differ() -> None:
    seen: set[str] = set()
    for cluster in ("kubeactors", "a-cluster-with-a-very-long-name-indeed"):
        for node in ("a", "node-0123456789.with.a.long.domain.example"):
            names = Names(cluster, node)
            own = {names.bridge, names.dummy, *(names.veth(f"uid-{number}") for number in range(200))}
            assert len(own) == 202
            assert all(len(name) <= 15 and name.startswith(names.link_prefix) for name in own)
            assert len(f"{names.chain_prefix}HIDE-OUTSIDERS") <= 28
            assert not own & seen
            seen |= own
    assert Names("a", "b").id == Names("a", "b").id != Names("ab", "").id


def test_mac_addresses_are_local_and_follow_the_address() -> None:
    assert mac_for("10.244.1.2") == "0a:58:0a:f4:01:02"


def test_attributes_come_back() -> None:
    data = (
        netlink.text(3, "eth0")
        + netlink.u32(4, 1500)
        + netlink.nested(18, netlink.text(1, "veth"), netlink.be16(2, 80))
    )
    assert len(data) % 4 == 0
    attrs = netlink.parse_attrs(data)
    assert attrs[3] == b"eth0\0"
    assert struct.unpack("=I", attrs[4]) == (1500,)
    inner = netlink.parse_attrs(attrs[18])
    assert inner == {1: b"veth\0", 2: b"\0\x50"}
    assert list(netlink.parse_list(netlink.u8(1, 5) + netlink.u8(1, 6))) == [(1, b"\5"), (1, b"\6")]


def test_dump_of_the_kernels_own_links() -> None:
    with NetlinkSocket(NETLINK_ROUTE) as sock:
        names = {link.name for link in list_links(sock)}
    assert names == {name for _, name in socket.if_nameindex()}


def test_refusals_name_their_message() -> None:
    with NetlinkSocket(NETLINK_ROUTE) as sock:
        unknown = Message(999, 0, b"")
        failures = sock.send([unknown] * 250)
        assert [failure.index for failure in failures] == list(range(250))
        with pytest.raises(NetlinkError):
            sock.request(unknown)
        assert links.find_link(sock, "no-such-link") is None
