"""Addresses and ranges as newer fields take them: strict and canonical (KEP-4858).

Older fields take what is strict, in any spelling, and what an object has already.
"""

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from kubeactors.api.fielderrors import FieldError, go_quote, invalid

_IP_MESSAGE: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_CIDR_MESSAGE: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_LEADING_ZEROS: Final = re.compile(r"(?<![0-9a-fA-F:])0+(?=[0-9])")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def sloppy_ip(text: str) -> Address | None:
    """An address as Kubernetes read it once: an IPv4 octet may have leading zeros."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text if ":" in text else _LEADING_ZEROS.sub("", text))
    except ValueError:
        return None


def sloppy_network(text: str) -> Network | None:
    """A range; bits beyond the prefix are cut off."""
    address, slash, prefix = text.partition("/")
    found = sloppy_ip(address)
    if found is None or not slash or not re.fullmatch("[0-9]{1,4}", prefix) or int(prefix) > found.max_prefixlen:
        return None
    return ipaddress.ip_network(f"{found}/{int(prefix)}", strict=False)


def ip_messages(text: str) -> list[str]:
    """What is wrong with an address that must be canonical."""
    address = sloppy_ip(text)
    message = _ip_message(text)
    if message:
        return [message]
    return [] if text == str(address) else [f"must be in canonical form ({go_quote(str(address))})"]


def ip_errors(text: str, path: str) -> list[FieldError]:
    return [invalid(path, text, m) for m in ip_messages(text)]


def cidr_errors(text: str, path: str) -> list[FieldError]:
    """Of a range that must be canonical."""
    message = _cidr_message(text)
    if not message:
        canonical = str(sloppy_network(text))
        message = "" if text == canonical else f"must be in canonical form ({go_quote(canonical)})"
    return [invalid(path, text, message)] if message else []


def legacy_ip_errors(text: str, path: str, existing: Collection[str] = ()) -> list[FieldError]:
    message = "" if text in existing else _ip_message(text)
    return [invalid(path, text, message)] if message else []


def legacy_cidr_errors(text: str, path: str, existing: Collection[str] = ()) -> list[FieldError]:
    message = "" if text in existing else _cidr_message(text)
    return [invalid(path, text, message)] if message else []


def _ip_message(text: str) -> str:
    address = sloppy_ip(text)
    if address is None:
        return _IP_MESSAGE
    if ":" not in text and _LEADING_ZEROS.search(text):
        return "must not have leading 0s"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return "must not be an IPv4-mapped IPv6 address"
    return ""


def _cidr_message(text: str) -> str:
    network = sloppy_network(text)
    if network is None:
        return _CIDR_MESSAGE
    address, _, prefix = text.partition("/")
    if (":" not in address and _LEADING_ZEROS.search(address)) or prefix != str(network.prefixlen):
        return "must not have leading 0s in IP or prefix length"
    first = sloppy_ip(address)
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped is not None:
        return "must not have an IPv4-mapped IPv6 address"
    return "" if first == network.network_address else "must not have bits set beyond the prefix length"
