"""The nftables ruleset as text: a fixed frame of chains and maps, and the map elements of each rule. Pure functions.

    early (filter, before translation)      refused → reset or drop
    prerouting, output (nat)                services, nodeports → a chain for "n endpoints" → pick/i → endpoint map i
    → dnat learn (filter, after translation)       affinity[client, frontend] = the endpoint that was chosen
    postrouting (nat)                       hairpin, marked packets, egress → masquerade

Endpoint i of every frontend is in one map, `<scope>/endpoint/i`, and chains only draw an index below n. So all Services
with n endpoints share one chain, and a change of a Service is a few map elements, whatever the number of Services. (A
single map with the index in its key needs `typeof`, which libnftables 1.0.6 limits to one transport protocol.)
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from netplugin.proxy.backend import MASQUERADE_MARK, BackendConfig
from netplugin.proxy.table import ANY_LOCAL, Endpoint, Frontend, Rule

FAMILY = "ip"
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}

_KEYS = {"service": "ip daddr . meta l4proto . th dport", "nodeport": "meta l4proto . th dport"}
_TYPES = {"service": "ipv4_addr . inet_proto . inet_service", "nodeport": "inet_proto . inet_service"}
_ORIGINAL_KEYS = {
    "service": "ct original ip daddr . meta l4proto . ct original proto-dst",
    "nodeport": "meta l4proto . ct original proto-dst",
}
_LOCAL_DEST = "fib daddr type local ip daddr != 127.0.0.0/8"

# A scope is a kind of frontend and whether the rule is only for clients in the cluster (pods and this node).
SCOPES = ("service", "service_internal", "nodeport", "nodeport_internal")
VERDICT_MAPS = (*SCOPES, "service_refused", "nodeport_refused", "service_learners", "nodeport_learners")
HAIRPIN = "hairpin"
AFFINITY = "affinity"
FIXED_CHAINS = frozenset(("refuse", "drop_outsiders"))  # of the frame, which elements may lead to

Elements = dict[str, dict[str, str]]  # map → key → value; a set's values are ""


class ServiceChain(NamedTuple):
    """A chain that draws one of `endpoints` places; its name says all that it does."""

    scope: str
    endpoints: int
    masquerade: str
    affinity: int

    @property
    def name(self) -> str:
        return f"{self.scope}/{self.endpoints}/{self.masquerade}/{self.affinity}"

    @classmethod
    def parse(cls, name: str) -> "ServiceChain | None":
        scope, _, rest = name.partition("/")
        if scope not in SCOPES:
            return None
        count, masquerade, affinity = rest.split("/")
        return cls(scope, int(count), masquerade, int(affinity))


def pick_chain(scope: str, index: int) -> str:
    return f"pick/{scope}/{index}"


def endpoint_map(scope: str, index: int) -> str:
    return f"{scope}/endpoint/{index}"


def key_of(frontend: Frontend) -> str:
    """The frontend as a key of the service maps or, without an address, of the node port maps."""
    number = PROTOCOLS[frontend.protocol]
    if frontend.address == ANY_LOCAL:
        return f"{number} . {frontend.port}"
    return f"{frontend.address} . {number} . {frontend.port}"


def kind_of(frontend: Frontend) -> str:
    return "nodeport" if frontend.address == ANY_LOCAL else "service"


def render(frontend: Frontend, rule: Rule, present: Mapping[str, Mapping[str, str]]) -> Elements:
    """The map elements of a rule. `present` (what the kernel has) keeps the places of endpoints that stay."""
    kind, key = kind_of(frontend), key_of(frontend)
    elements: Elements = {}
    variants = [(kind, rule.endpoints, rule.masquerade)]
    if rule.internal is not None and rule.internal != rule.endpoints:
        # Clients in the cluster come to other nodes' endpoints, whose answers must return through this node.
        variants.append((f"{kind}_internal", rule.internal, "all"))
    for scope, endpoints, masquerade in variants:
        if not endpoints:
            continue
        chain = ServiceChain(scope, len(endpoints), masquerade, rule.affinity)
        elements[scope] = {key: f"goto {chain.name}"}
        order = arrange(_present_order(present, scope, key), [f"{e.address} . {e.port}" for e in endpoints])
        for index, endpoint in enumerate(order):
            elements[endpoint_map(scope, index)] = {key: endpoint}
    if not rule.endpoints:
        verdict = "goto refuse" if rule.refuse else "goto drop_outsiders" if rule.internal else "drop"
        elements[f"{kind}_refused"] = {key: verdict}
    if rule.affinity and (rule.endpoints or rule.internal):
        elements[f"{kind}_learners"] = {key: f"goto learn/{rule.affinity}"}
    return elements


def _present_order(present: Mapping[str, Mapping[str, str]], scope: str, key: str) -> list[str]:
    order: list[str] = []
    while (endpoint := present.get(endpoint_map(scope, len(order)), {}).get(key)) is not None:
        order.append(endpoint)
    return order


def arrange(present: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """`wanted` in an order that keeps as many of `present`'s places as possible, so that few elements change."""
    places = list(present[: len(wanted)])
    keep, held = set(wanted), set(places)
    missing = [item for item in wanted if item not in held]
    for index, item in enumerate(places):
        if item not in keep:
            places[index] = missing.pop(0)
    return places + missing


def parse_endpoint(value: str) -> Endpoint:
    address, port = value.split(" . ")
    return Endpoint(address, int(port))


def required_chains(present: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The chains that these elements lead to, each after those that it leads to itself."""
    targets = {
        value.removeprefix("goto ")
        for name in VERDICT_MAPS
        for value in present.get(name, {}).values()
        if value.startswith("goto ")
    }
    targets -= FIXED_CHAINS
    most: dict[str, int] = {}
    for target in targets:
        chain = ServiceChain.parse(target)
        if chain is not None:
            most[chain.scope] = max(most.get(chain.scope, 0), chain.endpoints)
    picks = [pick_chain(scope, index) for scope, count in sorted(most.items()) for index in range(count)]
    return [*picks, *sorted(targets)]


def map_of_chain(name: str) -> str | None:
    """The endpoint map that a pick chain reads; the two come and go together."""
    kind, _, rest = name.partition("/")
    if kind != "pick":
        return None
    scope, index = rest.split("/")
    return endpoint_map(scope, int(index))


def map_type(name: str) -> str:
    """The type of an endpoint map."""
    return f"{_TYPES[name.partition('/')[0].removesuffix('_internal')]} : ipv4_addr . inet_service"


def chain_rules(name: str, config: BackendConfig) -> list[str]:
    """The rules of a chain that comes and goes with Services, by its name."""
    service = ServiceChain.parse(name)
    if service is not None:
        return _service_chain_rules(service, config)
    kind, _, rest = name.partition("/")
    if kind == "pick":
        scope, index = rest.split("/")
        key = _KEYS[scope.removesuffix("_internal")]
        rules = [f"dnat ip to {key} map @{endpoint_map(scope, int(index))}"]
        if index != "0":
            # A packet on its way while endpoints went may have drawn a place that is gone: the first one never is.
            rules.append(f"dnat ip to {key} map @{endpoint_map(scope, 0)}")
        return [*rules, "drop"]
    elements = f"ct original ip saddr . {_ORIGINAL_KEYS['service']} timeout {int(rest)}s : ip daddr . th dport"
    return [f"meta l4proto {number} update @{AFFINITY} {{ {elements} }}" for number in PROTOCOLS.values()]


def _service_chain_rules(chain: ServiceChain, config: BackendConfig) -> list[str]:
    mark = f"meta mark set meta mark | {MASQUERADE_MARK:#x}"
    rules: list[str] = []
    if chain.masquerade == "all":
        rules.append(mark)
    elif chain.masquerade == "outsiders":
        rules.append(f"ip saddr != {config.pod_cidr} {mark}")
    if chain.affinity:
        rules.append(f"dnat ip to ip saddr . {_KEYS['service']} map @{AFFINITY}")
    if chain.endpoints == 1:
        return [*rules, f"goto {pick_chain(chain.scope, 0)}"]
    places = ", ".join(f"{index} : goto {pick_chain(chain.scope, index)}" for index in range(chain.endpoints))
    return [*rules, f"numgen random mod {chain.endpoints} vmap {{ {places} }}"]


def layout(config: BackendConfig) -> str:
    """A name for the fixed frame: another version or configuration of it has another name."""
    samples = [
        ServiceChain(scope, 2, masquerade, affinity).name
        for scope in SCOPES
        for affinity in (0, 60)
        for masquerade in ("all", "outsiders", "none")
    ]
    samples += [pick_chain(scope, 1) for scope in SCOPES]
    text = "\n".join([_frame(config), *(rule for name in [*samples, "learn/60"] for rule in chain_rules(name, config))])
    return f"layout_{hashlib.blake2s(text.encode(), digest_size=6).hexdigest()}"


def frame(config: BackendConfig) -> str:
    """The table with its fixed chains and empty maps, as commands."""
    return f"{_frame(config)}\nadd set {FAMILY} {config.names.table} {layout(config)} {{ type mark; }}\n"


def _frame(config: BackendConfig) -> str:
    maps = "\n".join(f"  map {name} {{ type {_TYPES[name.partition('_')[0]]} : verdict; }}" for name in VERDICT_MAPS)
    pods = config.pod_cidr
    hide = f"meta mark & {MASQUERADE_MARK:#x} == {MASQUERADE_MARK:#x}"
    clear = f"meta mark set meta mark & {0xFFFFFFFF ^ MASQUERADE_MARK:#x}"
    egress = (
        f'ip saddr {pods} ip daddr != {pods} ip daddr != 224.0.0.0/4 oifname != "{config.names.bridge}" masquerade'
        if config.masquerade
        else ""
    )
    learners = "\n".join(
        f"    meta l4proto {number} {key} vmap @{kind}_learners"
        for number in PROTOCOLS.values()
        for kind, key in _ORIGINAL_KEYS.items()
    )
    service, nodeport = _KEYS["service"], f"{_LOCAL_DEST} {_KEYS['nodeport']}"
    return f"""table {FAMILY} {config.names.table} {{
{maps}
  set {HAIRPIN} {{ type ipv4_addr . ipv4_addr; }}
  map {AFFINITY} {{
    type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
    size 262144
    flags dynamic,timeout
    timeout 3h
  }}
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with icmp port-unreachable
  }}
  chain drop_outsiders {{
    ip saddr {pods} return
    fib saddr type local return
    drop
  }}
  chain refusals {{
    {service} vmap @service_refused
    {nodeport} vmap @nodeport_refused
  }}
  chain early_prerouting {{
    type filter hook prerouting priority -110; policy accept;
    ct state new jump refusals
  }}
  chain early_output {{
    type filter hook output priority -110; policy accept;
    ct state new jump refusals
  }}
  chain inside {{
    {service} vmap @service_internal
    {nodeport} vmap @nodeport_internal
  }}
  chain dispatch {{
    ip saddr {pods} jump inside
    fib saddr type local jump inside
    {service} vmap @service
    {nodeport} vmap @nodeport
  }}
  chain prerouting {{
    type nat hook prerouting priority -100; policy accept;
    jump dispatch
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    jump dispatch
  }}
  chain learn {{
{learners}
  }}
  chain learn_prerouting {{
    type filter hook prerouting priority -90; policy accept;
    ct state new ct status dnat jump learn
  }}
  chain learn_output {{
    type filter hook output priority -90; policy accept;
    ct state new ct status dnat jump learn
  }}
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;
    ct status dnat ip saddr . ip daddr @{HAIRPIN} masquerade
    {hide} {clear} masquerade
    {egress}
  }}
}}"""


def element_commands(table: str, gone: Mapping[str, Iterable[str]], new: Elements) -> list[str]:
    """Deletions before additions: a changed element is both."""
    commands = [
        f"delete element {FAMILY} {table} {name} {{ {', '.join(keys)} }}" for name, keys in gone.items() if keys
    ]
    for name, elements in new.items():
        if elements:
            listed = ", ".join(f"{key} : {value}" if value else key for key, value in elements.items())
            commands.append(f"add element {FAMILY} {table} {name} {{ {listed} }}")
    return commands
