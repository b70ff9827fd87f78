"""Ingresses, network policies, addresses and ranges: what is filled in, refused and shown."""

from typing import Any

import pytest

from kubeactors.api import table
from kubeactors.api.codec import copy
from kubeactors.api.kinds import registry
from tests.support.api_samples import NOW, completed, create_errors, update_errors, updated

_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def ingress(*paths: dict[str, Any], host: str = "", **spec: Any) -> dict[str, Any]:
    rules = [{"host": host, "http": {"paths": list(paths)}}] if paths else []
    return {"metadata": {"name": "i"}, "spec": {"rules": rules, **spec}}


def path(text: str = "/", kind: str = "Prefix", **backend: Any) -> dict[str, Any]:
    made = backend or {"service": {"name": "s", "port": {"number": 80}}}
    return {"path": text, "pathType": kind, "backend": made}


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, "spec": {"podSelector": {}, **spec}}


def block(cidr: str, *excluded: str) -> dict[str, Any]:
    return policy(ingress=[{"from": [{"ipBlock": {"cidr": cidr, "except": list(excluded)}}]}])


def address(name: str = "192.0.2.1", **parent: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"parentRef": {"resource": "services", "name": "s", **parent}}}


def ranges(*cidrs: str) -> dict[str, Any]:
    return {"metadata": {"name": "r"}, "spec": {"cidrs": list(cidrs)}}


def ingress_class(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c"}, "spec": {"controller": "example.com/c", **spec}}


def parameters(**fields: Any) -> dict[str, Any]:
    return {"apiGroup": "example.com", "kind": "P", "name": "p", **fields}


def test_what_an_ingress_is_given() -> None:
    made = completed("ingresses", ingress(path()))
    assert made["status"] == {"loadBalancer": {}}
    assert made["metadata"]["generation"] == 1


def test_what_a_network_policy_is_given() -> None:
    assert completed("networkpolicies", policy())["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    made = completed("networkpolicies", policy(egress=[{"ports": [{"port": 53}]}]))
    assert made["spec"]["egress"] == [{"ports": [{"port": 53, "protocol": "TCP"}]}]
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_parameters_of_a_class_are_cluster_scoped_unless_it_says_otherwise() -> None:
    made = completed("ingressclasses", ingress_class(parameters=parameters()))
    assert made["spec"]["parameters"]["scope"] == "Cluster"


@pytest.mark.parametrize(
    ("resource", "obj", "errors"),
    [
        ("ingresses", ingress(path()), []),
        (
            "ingresses",
            ingress(),
            ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"],
        ),
        (
            "ingresses",
            ingress(path("x"), path("", "ImplementationSpecific"), path("/a//b", "Exact"), path("/..")),
            [
                'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
                "spec.rules[0].http.paths[2].path: Invalid value: \"/a//b\": must not contain '//'",
                "spec.rules[0].http.paths[3].path: Invalid value: \"/..\": cannot end with '/..'",
            ],
        ),
        (
            "ingresses",
            ingress({"path": "/", "backend": {}}, path(kind="X")),
            [
                "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
                'spec.rules[0].http.paths[1].pathType: Unsupported value: "X": supported values: "Exact", '
                '"ImplementationSpecific", "Prefix"',
            ],
        ),
        (
            "ingresses",
            ingress(path(), host="192.0.2.1"),
            ['spec.rules[0].host: Invalid value: "192.0.2.1": must be a DNS name, not an IP address'],
        ),
        (
            "ingresses",
            ingress(path(), tls=[{"hosts": ["A"], "secretName": "B!"}], ingressClassName="C!"),
            [
                f'spec.tls[0].hosts[0]: Invalid value: "A": {_SUBDOMAIN}',
                f'spec.tls[0].secretName: Invalid value: "B!": {_SUBDOMAIN}',
                f'spec.ingressClassName: Invalid value: "C!": {_SUBDOMAIN}',
            ],
        ),
        (
            "ingresses",
            ingress(
                path(service={"name": "", "port": {}}),
                path(service={"name": "s", "port": {"name": "a", "number": 1}}),
                path(service={"name": "s", "port": {"number": 65536}}),
                path(service={"name": "s", "port": {"number": 1}}, resource={"kind": "K", "name": "n"}),
                path(resource={"kind": "", "name": "a/b"}),
                path(resource=None),
            ),
            [
                "spec.rules[0].http.paths[0].backend.service.name: Required value",
                "spec.rules[0].http.paths[0].backend: Required value: port name or number is required",
                'spec.rules[0].http.paths[1].backend: Invalid value: "": cannot set both port name & port number',
                "spec.rules[0].http.paths[2].backend.service.port.number: Invalid value: 65536: must be between 1 and "
                "65535, inclusive",
                'spec.rules[0].http.paths[3].backend: Invalid value: "": cannot set both resource and service backends',
                "spec.rules[0].http.paths[4].backend.resource.kind: Required value",
                "spec.rules[0].http.paths[4].backend.resource.name: Invalid value: \"a/b\": may not contain '/'",
                'spec.rules[0].http.paths[5].backend: Invalid value: "": resource or service backend is required',
            ],
        ),
        ("ingresses", ingress(path(), host="*.example.com"), []),
        (
            "networkpolicies",
            block("192.0.2.1/24"),
            [
                'spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "192.0.2.1/24": must not have bits set beyond '
                "the prefix length"
            ],
        ),
        ("networkpolicies", block("2001:db8::/32", "2001:db8:1::/48"), []),
        (
            "networkpolicies",
            block("192.0.2.0/24", "192.0.2.0/24", "2001:db8::/64", "x"),
            [
                'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "192.0.2.0/24": must be a strict subset of '
                "`cidr`",
                'spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "2001:db8::/64": must be a strict subset of '
                "`cidr`",
                'spec.ingress[0].from[0].ipBlock.except[2]: Invalid value: "x": must be a valid CIDR value, '
                "(e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ],
        ),
        (
            "networkpolicies",
            policy(egress=[{"ports": [{"port": "http", "endPort": 2}, {"port": 1, "endPort": 65536}], "to": [{}]}]),
            [
                "spec.egress[0].ports[0].endPort: Invalid value: 2: may not be specified when `port` is non-numeric",
                "spec.egress[0].ports[1].endPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
                "spec.egress[0].to[0]: Required value: must specify a peer",
            ],
        ),
        ("ipaddresses", address(), []),
        (
            "ipaddresses",
            address("2001:DB8::1"),
            ['metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'],
        ),
        (
            "ipaddresses",
            address("::ffff:192.0.2.1"),
            ['metadata.name: Invalid value: "::ffff:192.0.2.1": must not be an IPv4-mapped IPv6 address'],
        ),
        (
            "ipaddresses",
            {**address(), "spec": {"parentRef": {"resource": "", "name": "a/b", "group": "G"}}},
            [
                f'spec.parentRef.group: Invalid value: "G": {_SUBDOMAIN}',
                "spec.parentRef.resource: Required value",
                "spec.parentRef.name: Invalid value: \"a/b\": may not contain '/'",
            ],
        ),
        ("servicecidrs", ranges("10.0.0.0/24", "2001:db8::/112"), []),
        ("servicecidrs", ranges(), ["spec.cidrs: Required value: at least one CIDR required"]),
        (
            "servicecidrs",
            ranges("10.0.0.0/8", "10.1.0.0/16"),
            [
                'spec.cidrs: Invalid value: ["10.0.0.0/8","10.1.0.0/16"]: may specify no more than one IP for each IP '
                "family, i.e 192.168.0.0/24 and 2001:db8::/64"
            ],
        ),
        (
            "servicecidrs",
            ranges("010.0.0.0/24"),
            ['spec.cidrs[0]: Invalid value: "010.0.0.0/24": must not have leading 0s in IP or prefix length'],
        ),
        (
            "ingressclasses",
            ingress_class(controller="x", parameters=parameters(scope="Namespace")),
            [
                'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
                "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
            ],
        ),
        (
            "ingressclasses",
            ingress_class(parameters=parameters(namespace="n")),
            ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
        ),
        (
            "ingressclasses",
            ingress_class(controller="", parameters=parameters(scope="X", kind="")),
            [
                "spec.controller: Required value",
                "spec.parameters.kind: Required value",
                'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", "Namespace"',
            ],
        ),
    ],
)
def test_what_a_create_refuses(resource: str, obj: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(resource, obj) == errors


def change(resource: str, before: dict[str, Any], after: dict[str, Any], subresource: str = "") -> list[str]:
    """The errors of an update from one spec or status to another."""
    old = completed(resource, before)
    new = copy(old) | {key: value for key, value in after.items() if key != "metadata"}
    return update_errors(resource, old, new, subresource)


def test_what_an_update_refuses() -> None:
    assert change("ingressclasses", ingress_class(), ingress_class(controller="example.com/d")) == [
        'spec.controller: Invalid value: "example.com/d": field is immutable'
    ]
    assert change("ipaddresses", address(), address(namespace="n")) == [
        'spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"n","Name":"s"}: '
        "field is immutable"
    ]
    assert change("servicecidrs", ranges("10.0.0.0/24"), ranges("10.0.0.0/24", "2001:db8::/112")) == []
    assert change("servicecidrs", ranges("10.0.0.0/24"), ranges("10.1.0.0/24")) == [
        'spec.cidrs[0]: Invalid value: "10.1.0.0/24": field is immutable'
    ]
    assert change("servicecidrs", ranges("10.0.0.0/24", "2001:db8::/112"), ranges("10.0.0.0/24")) == [
        'spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable'
    ]


def test_a_policy_may_keep_a_range_that_is_no_longer_taken() -> None:
    loose = block("192.0.2.1/24")
    assert change("networkpolicies", loose, {"spec": loose["spec"] | {"policyTypes": ["Ingress"]}}) == []


def test_the_status_of_an_ingress() -> None:
    points = [{"ip": "x"}, {"hostname": "192.0.2.1"}]
    assert change("ingresses", ingress(path()), {"status": {"loadBalancer": {"ingress": points}}}, "status") == [
        'status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, '
        "(e.g. 10.9.8.7 or 2001:db8::ffff)",
        'status.loadBalancer.ingress[1].hostname: Invalid value: "192.0.2.1": must be a DNS name, not an IP address',
    ]
    old = completed("ingresses", ingress(path()))
    new = updated(registry.lookup("ingresses"), old, copy(old) | {"spec": {}}, "status")
    assert new["spec"] == old["spec"]


def test_the_class_annotation() -> None:
    obj = ingress(path(), ingressClassName="a")
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "b"}
    assert create_errors("ingresses", obj) == [
        'annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are '
        "specified"
    ]
    assert registry.lookup("ingresses").strategy.warnings_on_create(obj) == [
        "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
    ]


def cells(resource: str, obj: dict[str, Any]) -> list[Any]:
    return table.cells(registry.lookup(resource), completed(resource, obj), NOW)


def test_cells() -> None:
    assert cells("ingresses", ingress(path())) == ["i", "<none>", "*", "", "80", "0s"]
    many = ingress(ingressClassName="x", tls=[{}], rules=[{"host": h} for h in ("a", "b", "c", "d", "e")])
    assert cells("ingresses", many) == ["i", "x", "a,b,c + 2 more...", "", "80, 443", "0s"]
    assert cells("ingressclasses", ingress_class()) == ["c", "example.com/c", "<none>", "0s"]
    assert cells("ingressclasses", ingress_class(parameters=parameters()))[2] == "P.example.com/p"
    assert cells("networkpolicies", policy()) == ["n", "<none>", "0s"]
    assert cells("ipaddresses", address(namespace="n", group="g.io")) == ["192.0.2.1", "services.g.io/n/s", "0s"]
    assert cells("servicecidrs", ranges("10.0.0.0/24", "2001:db8::/112"))[1] == "10.0.0.0/24,2001:db8::/112"
