"""Texts for Warning headers about addresses and ranges that are not written as they should be."""

import ipaddress


def ip_warnings(text: str, path: str) -> list[str]:
    """About an address that is valid; what is wrong altogether is for the validation to say."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return []
    if address.version == 4:
        return []
    if address.ipv4_mapped is not None:
        advice = "will be considered invalid in a future Kubernetes release"
        return [f'{path}: non-standard IP address "{text}" {advice}: use "{address.ipv4_mapped}"']
    if str(address) != text:
        return [f'{path}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{address}")']
    return []


def cidr_warnings(text: str, path: str) -> list[str]:
    """About a range that is valid."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return []
    network, address = interface.network, interface.ip
    warnings = []
    if address != network.network_address:
        single = f"{address}/{address.max_prefixlen}"
        advice = f'should be "{network}" or "{single}"?'
        warnings.append(f'{path}: CIDR value "{text}" is ambiguous in this context ({advice})')
    if address.version == 6 and str(interface) != text:
        warnings.append(f'{path}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{interface}")')
    return warnings
