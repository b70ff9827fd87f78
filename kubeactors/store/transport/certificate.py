"""Whether a caller's certificate fits the caller, beyond the authority that signed it.

etcd's rules (client/pkg/transport/listener_tls.go): one of the certificate's addresses is the caller's, or one of its
names leads there; a certificate without any is let in. With an allowed common name or host name that one decides too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import unquote

from cryptography import x509
from cryptography.x509.oid import NameOID

LOOKUP_SECONDS = 3.0


class WrongCertificate(Exception):
    """The certificate is of the right authority, but not the caller's."""


@dataclass(frozen=True, slots=True)
class PeerRules:
    """`allowed_cn`, `allowed_hostname`: empty allows any. `check_address`: the caller's address must be in the
    certificate."""

    allowed_cn: str = ""
    allowed_hostname: str = ""
    check_address: bool = True


async def check(pem: bytes, caller: str, rules: PeerRules) -> None:
    """`caller`: the other end as gRPC names it (ipv4:127.0.0.1:4242). Raises WrongCertificate."""
    certificate = x509.load_pem_x509_certificate(pem)
    names, addresses = _alternative_names(certificate)
    if rules.allowed_cn:
        found = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if rules.allowed_cn not in found:
            raise WrongCertificate(f"certificate of {found}, only {rules.allowed_cn!r} may be a peer")
    if rules.allowed_hostname and not _names_host(names, addresses, rules.allowed_hostname):
        raise WrongCertificate(f"certificate of {names + addresses}, only {rules.allowed_hostname!r} may be a peer")
    if not rules.check_address or not (names or addresses):
        return
    host = address_of(caller)
    if host is None:
        raise WrongCertificate(f"{caller} is no address that a certificate could have")
    if host in addresses:
        return
    if names and await _leads_to(names, host):
        return
    raise WrongCertificate(f"{host} does not match any of the certificate's names and addresses {names + addresses}")


def address_of(caller: str) -> str | None:
    """The address in gRPC's name for the other end; None when there is none (a Unix socket)."""
    family, _, rest = caller.partition(":")
    if family not in ("ipv4", "ipv6"):
        return None
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    return str(ipaddress.ip_address(host))


def _alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """(DNS names, addresses)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    return found.get_values_for_type(x509.DNSName), [str(a) for a in found.get_values_for_type(x509.IPAddress)]


def _names_host(names: list[str], addresses: list[str], host: str) -> bool:
    return host in addresses or any(_matches(name, host) for name in names)


def _matches(pattern: str, name: str) -> bool:
    """RFC 6125: a wildcard stands for one whole leftmost label."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == name
    label, _, rest = name.partition(".")
    return bool(label) and rest == pattern[2:]


async def _leads_to(names: list[str], host: str) -> bool:
    """A name whose addresses include `host`, or which `host` has by reverse lookup."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            for name in names:
                if name.startswith("*."):
                    continue
                try:
                    found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                except OSError:
                    continue
                if host in {str(address[0]).partition("%")[0] for *_, address in found}:
                    return True
            try:
                reverse, _ = await loop.getnameinfo((host, 0), socket.NI_NAMEREQD)
            except OSError:
                return False
            return any(_matches(name, reverse) for name in names)
    except TimeoutError:
        return False
