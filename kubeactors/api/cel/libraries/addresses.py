"""IP addresses and ranges: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.libraries.address_texts import AddressError, check_address
from kubeactors.api.cel.types import Type, opaque, type_of
from kubeactors.api.cel.values import EvaluationError
from kubeactors.api.fielderrors import go_quote

IP_TYPE: Final = opaque("net.IP")
CIDR_TYPE: Final = opaque("net.CIDR")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
_PREFIX: Final = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Ip:
    address: _Address

    @property
    def cel_type(self) -> Type:
        return IP_TYPE


@dataclass(frozen=True, slots=True)
class Cidr:
    """An address with the length of its prefix; bits beyond the prefix may be set."""

    address: _Address
    prefix: int

    @property
    def cel_type(self) -> Type:
        return CIDR_TYPE

    @property
    def version(self) -> int:
        return self.address.version

    @property
    def network(self) -> _Network:
        return ipaddress.ip_network((self.address, self.prefix), strict=False)


def parse_ip(text: str) -> Ip:
    """Raises EvaluationError."""
    quoted = go_quote(text)
    try:
        check_address(text)
    except AddressError as error:
        raise EvaluationError(f"IP Address {quoted} parse error during conversion from string: {error}") from None
    if "%" in text:
        raise EvaluationError(f"IP address {quoted} with zone value is not allowed")
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {quoted} is not allowed")
    return Ip(address)


def parse_cidr(text: str) -> Cidr:
    """Raises EvaluationError."""
    said = "network address parse error during conversion from string: "
    try:
        address, prefix = _checked_prefix(text)
    except AddressError as error:
        raise EvaluationError(f"{said}{said}netip.ParsePrefix({go_quote(text)}): {error}") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f"{said}IPv4-mapped IPv6 address {go_quote(text)} is not allowed")
    return Cidr(address, prefix)


def _checked_prefix(text: str) -> tuple[_Address, int]:
    start, slash, prefix = text.rpartition("/")
    if not slash:
        raise AddressError("no '/'")
    check_address(start)
    if "%" in start:
        raise AddressError("IPv6 zones cannot be present in a prefix")
    if not _PREFIX.fullmatch(prefix):
        raise AddressError(f"bad bits after slash: {go_quote(prefix)}")
    address = ipaddress.ip_address(start)
    if int(prefix) > address.max_prefixlen:
        raise AddressError("prefix length out of range")
    return address, int(prefix)


def _is_ip(text: str) -> bool:
    return _parses(parse_ip, text)


def _is_cidr(text: str) -> bool:
    return _parses(parse_cidr, text)


def _parses(parse: object, text: str) -> bool:
    assert callable(parse)
    try:
        parse(text)
    except EvaluationError:
        return False
    return True


def _canonical(text: str) -> bool:
    return str(parse_ip(text).address) == text


def _local_multicast(value: Ip) -> bool:
    if isinstance(value.address, ipaddress.IPv4Address):
        return value.address in ipaddress.IPv4Network("224.0.0.0/24")
    packed = value.address.packed
    return packed[0] == 0xFF and packed[1] & 0x0F == 0x02


def _global_unicast(value: Ip) -> bool:
    address = value.address
    if address == _BROADCAST or address.is_unspecified:
        return False
    return not (address.is_loopback or address.is_multicast or address.is_link_local)


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return cidr.version == ip.address.version and ip.address in cidr.network


def _contains_cidr(cidr: Cidr, other: Cidr) -> bool:
    if cidr.version != other.version or cidr.prefix > other.prefix:
        return False
    return Cidr(other.address, cidr.prefix).network == cidr.network


_KNOWN: Final = {"IP": IP_TYPE, "CIDR": CIDR_TYPE}
LIBRARY: Final = Library(
    {
        "ip": (
            overload("string_to_ip", "(string) -> IP", parse_ip, _KNOWN),
            overload("cidr_ip", "CIDR.() -> IP", lambda cidr: Ip(cidr.address), _KNOWN),
        ),
        "family": (overload("ip_family", "IP.() -> int", lambda ip: ip.address.version, _KNOWN),),
        "ip.isCanonical": (overload("ip_is_canonical", "(string) -> bool", _canonical),),
        "isUnspecified": (
            overload("ip_is_unspecified", "IP.() -> bool", lambda ip: ip.address.is_unspecified, _KNOWN),
        ),
        "isLoopback": (overload("ip_is_loopback", "IP.() -> bool", lambda ip: ip.address.is_loopback, _KNOWN),),
        "isLinkLocalMulticast": (overload("ip_is_link_local_multicast", "IP.() -> bool", _local_multicast, _KNOWN),),
        "isLinkLocalUnicast": (
            overload("ip_is_link_local_unicast", "IP.() -> bool", lambda ip: ip.address.is_link_local, _KNOWN),
        ),
        "isGlobalUnicast": (overload("ip_is_global_unicast", "IP.() -> bool", _global_unicast, _KNOWN),),
        "isIP": (overload("is_ip", "(string) -> bool", _is_ip),),
        "cidr": (overload("string_to_cidr", "(string) -> CIDR", parse_cidr, _KNOWN),),
        "containsIP": (
            overload(
                "cidr_contains_ip_string",
                "CIDR.(string) -> bool",
                lambda cidr, text: _contains_ip(cidr, parse_ip(text)),
                _KNOWN,
            ),
            overload("cidr_contains_ip_ip", "CIDR.(IP) -> bool", _contains_ip, _KNOWN),
        ),
        "containsCIDR": (
            overload(
                "cidr_contains_cidr_string",
                "CIDR.(string) -> bool",
                lambda cidr, text: _contains_cidr(cidr, parse_cidr(text)),
                _KNOWN,
            ),
            overload("cidr_contains_cidr", "CIDR.(CIDR) -> bool", _contains_cidr, _KNOWN),
        ),
        "prefixLength": (overload("cidr_prefix_length", "CIDR.() -> int", lambda cidr: cidr.prefix, _KNOWN),),
        "masked": (
            overload(
                "cidr_masked", "CIDR.() -> CIDR", lambda cidr: Cidr(cidr.network.network_address, cidr.prefix), _KNOWN
            ),
        ),
        "isCIDR": (overload("is_cidr", "(string) -> bool", _is_cidr),),
        "string": (
            overload("ip_to_string", "(IP) -> string", lambda ip: str(ip.address), _KNOWN),
            overload("cidr_to_string", "(CIDR) -> string", lambda cidr: f"{cidr.address}/{cidr.prefix}", _KNOWN),
        ),
    },
    (IP_TYPE, CIDR_TYPE),
)
NAMES: Final = {"net.IP": type_of(IP_TYPE), "net.CIDR": type_of(CIDR_TYPE)}
