"""Connections that the kernel tracks: ending UDP flows that lead to endpoints which are gone.

A translated UDP flow keeps its endpoint for as long as packets come, so a client that never pauses would send to a
removed endpoint for ever. (TCP connections end by themselves, and established ones are to live on.) Only rules that
changed are looked at. Formats: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from netplugin import netlink
from netplugin.netlink import ENOENT, NETLINK_NETFILTER, Message, NetlinkSocket
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

_GET, _DELETE = (1 << 8) | 1, (1 << 8) | 2
_TUPLE_ORIG, _TUPLE_REPLY, _ID, _ZONE = 1, 2, 12, 18
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SRC, _IP_DST = 1, 2
_PROTO_NUM, _PROTO_SRC, _PROTO_DST = 1, 2, 3
_NFGENMSG = struct.pack("=BBH", socket.AF_INET, 0, 0)


@dataclass(frozen=True)
class Flow:
    """A tracked UDP flow: where its client sends to, and who answers."""

    target: Endpoint
    answers: Endpoint
    identity: bytes  # attributes that name it in a deletion


def stale_flows(flows: Iterable[Flow], rules: Mapping[Frontend, Rule | None]) -> list[Flow]:
    """The flows through these frontends that a new flow could not take (None: the rule is gone)."""
    return [flow for flow in flows if _is_stale(flow, rules)]


def _is_stale(flow: Flow, rules: Mapping[Frontend, Rule | None]) -> bool:
    translated = flow.answers != flow.target
    for frontend in (
        Frontend(flow.target.address, "UDP", flow.target.port),
        Frontend(ANY_LOCAL, "UDP", flow.target.port),
    ):
        if frontend not in rules:
            continue
        rule = rules[frontend]
        if rule is None:
            return translated
        valid = {*rule.endpoints, *(rule.internal or ()), *rule.draining}
        # An untranslated flow began before the rule had endpoints, and would never find them.
        return flow.answers not in valid and (translated or bool(valid))
    return False


def end_stale_flows(rules: Mapping[Frontend, Rule | None]) -> int:
    """End UDP flows through these frontends to endpoints they have no longer; returns how many. Raises OSError."""
    rules = {frontend: rule for frontend, rule in rules.items() if frontend.protocol == "UDP"}
    if not rules:
        return 0
    with NetlinkSocket(NETLINK_NETFILTER) as sock:
        stale = stale_flows(_list_flows(sock), rules)
        deletions = [Message(_DELETE, 0, _NFGENMSG + flow.identity) for flow in stale]
        netlink.ignore(sock.send(deletions), ENOENT)
    return len(stale)


def _list_flows(sock: NetlinkSocket) -> Iterable[Flow]:
    for _, payload in sock.dump(_GET, _NFGENMSG):
        attrs = netlink.parse_attrs(payload, len(_NFGENMSG))
        original = _destination(attrs[_TUPLE_ORIG], _IP_DST, _PROTO_DST)
        answers = _destination(attrs[_TUPLE_REPLY], _IP_SRC, _PROTO_SRC)
        if original is None or answers is None:
            continue
        identity = netlink.nested(_TUPLE_ORIG, attrs[_TUPLE_ORIG])
        identity += b"".join(netlink.attr(kind, attrs[kind]) for kind in (_ID, _ZONE) if kind in attrs)
        yield Flow(original, answers, identity)


def _destination(tuple_: bytes, address: int, port: int) -> Endpoint | None:
    parts = netlink.parse_attrs(tuple_)
    protocol = netlink.parse_attrs(parts[_TUPLE_PROTO])
    if protocol[_PROTO_NUM][0] != socket.IPPROTO_UDP:
        return None
    addresses = netlink.parse_attrs(parts[_TUPLE_IP])
    return Endpoint(socket.inet_ntoa(addresses[address]), int.from_bytes(protocol[port], "big"))
