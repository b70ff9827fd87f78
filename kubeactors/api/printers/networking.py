"""Cells of ingresses, network policies, addresses and ranges."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import NONE, age, format_label_selector, name

_SHOWN_HOSTS = 3


def ingress_cells(ingress: Object, now: datetime) -> list[Any]:
    spec = ingress.get("spec") or {}
    points = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = sorted({p.get("ip") or p.get("hostname") or "" for p in points} - {""})
    return [
        name(ingress),
        spec.get("ingressClassName") or NONE,
        _hosts(spec.get("rules") or []),
        ",".join(addresses),
        "80, 443" if spec.get("tls") else "80",
        age(ingress, now),
    ]


def ingress_class_cells(ingress_class: Object, now: datetime) -> list[Any]:
    spec = ingress_class.get("spec") or {}
    parameters = spec.get("parameters")
    shown = NONE
    if parameters is not None:
        group = parameters.get("apiGroup")
        shown = (parameters.get("kind") or "") + (f".{group}" if group else "") + "/" + (parameters.get("name") or "")
    return [name(ingress_class), spec.get("controller") or "", shown, age(ingress_class, now)]


def network_policy_cells(policy: Object, now: datetime) -> list[Any]:
    selector = (policy.get("spec") or {}).get("podSelector")
    return [name(policy), format_label_selector(selector), age(policy, now)]


def ip_address_cells(address: Object, now: datetime) -> list[Any]:
    parent = (address.get("spec") or {}).get("parentRef") or {}
    group, resource, namespace, owner = (parent.get(f) or "" for f in ("group", "resource", "namespace", "name"))
    shown = "/".join(part for part in (f"{resource}.{group}" if group else resource, namespace, owner) if part)
    return [name(address), shown, age(address, now)]


def service_cidr_cells(service_cidr: Object, now: datetime) -> list[Any]:
    cidrs = (service_cidr.get("spec") or {}).get("cidrs") or ()
    return [name(service_cidr), ",".join(cidrs), age(service_cidr, now)]


def _hosts(rules: list[dict[str, Any]]) -> str:
    hosts: list[str] = []
    more = False
    for rule in rules:
        if len(hosts) == _SHOWN_HOSTS:
            more = True
        elif rule.get("host"):
            hosts.append(rule["host"])
    if not hosts:
        return "*"
    text = ",".join(hosts)
    return f"{text} + {len(rules) - _SHOWN_HOSTS} more..." if more else text
