"""The nftables backend: keeps one table of the kernel equal to the desired rules, a difference at a time."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from netplugin.proxy import conntrack
from netplugin.proxy import nftables_rules as ruleset
from netplugin.proxy.backend import BackendConfig, BackendError
from netplugin.proxy.libnftables import Nftables, NftablesError
from netplugin.proxy.nftables_rules import AFFINITY, FAMILY, HAIRPIN, VERDICT_MAPS, Elements
from netplugin.proxy.table import Frontend, Rule, Rules

logger = logging.getLogger(__name__)


def available() -> bool:
    """Whether library and kernel are there."""
    try:
        nftables = Nftables()
    except (NftablesError, OSError):
        return False
    try:
        nftables.tables(FAMILY)
    except NftablesError:
        return False
    else:
        return True
    finally:
        nftables.close()


class NftablesBackend:
    """See `netplugin.proxy.backend.Backend`. Writes are transactions: a packet sees the old rules or the new ones.

    What the kernel has is read once and then followed; when anybody else changed any table meanwhile (the kernel counts
    generations), it is read again before the next write.
    """

    name = "nftables"

    def __init__(self, config: BackendConfig) -> None:
        """Raises NftablesError when the library is missing."""
        self._config = config
        self._table = config.names.table
        self._nftables = Nftables()
        self._generation: int | None = None  # as of which `_present` is the kernel's content; None: not known
        self._present: Elements = {}
        self._chains: set[str] = set()
        self._rules: Rules = {}  # what `_rendered` was made from
        self._rendered: dict[Frontend, Elements] = {}
        self._local: Counter[str] = Counter()  # addresses for the hairpin set, by how many rules name them

    def prepare(self) -> None:
        try:
            if self._table not in self._nftables.tables(FAMILY):
                self._nftables.run(ruleset.frame(self._config))
        except (NftablesError, OSError) as error:
            raise BackendError(f"nftables table {self._table} cannot be made: {error}") from error

    def pending(self) -> float | None:
        return None

    def sync(self, rules: Rules) -> None:
        try:
            generation = self._nftables.generation()
            if generation != self._generation:
                self._generation = generation
                self._write_all(rules)
            else:
                self._write_changes(rules)
        except (NftablesError, OSError) as error:
            self._generation = None
            raise BackendError(f"nftables table {self._table}: {error}") from error

    def close(self) -> None:
        self._nftables.close()

    def purge(self) -> None:
        try:
            if self._table in self._nftables.tables(FAMILY):
                self._nftables.run(f"delete table {FAMILY} {self._table}")
        except (NftablesError, OSError) as error:
            raise BackendError(f"nftables table {self._table} cannot be removed: {error}") from error
        self._generation = None

    # -- whole table -----------------------------------------------------------------------------------------------

    def _write_all(self, rules: Rules) -> None:
        """Compare everything with what the kernel really has."""
        prefix = self._read()
        self._rules = dict(rules)
        self._rendered = {front: ruleset.render(front, rule, self._present) for front, rule in rules.items()}
        self._local = Counter(address for rule in rules.values() for address in rule.local)
        wanted: Elements = {HAIRPIN: {_hairpin(address): "" for address in self._local}}
        for elements in self._rendered.values():
            for name, found in elements.items():
                wanted.setdefault(name, {}).update(found)
        gone: dict[str, list[str]] = {}
        new: Elements = {}
        for name in self._present.keys() | wanted.keys():
            have, want = self._present.get(name, {}), wanted.get(name, {})
            gone[name] = [key for key, value in have.items() if want.get(key) != value]
            new[name] = {key: value for key, value in want.items() if have.get(key) != value}
        self._commit(prefix, gone, new)
        sticky = {front: rule for front, rule in rules.items() if rule.affinity}
        self._forget_clients(sticky)
        conntrack.end_stale_flows(rules)

    def _read(self) -> list[str]:
        """Learn what the kernel has; returns commands that must come first in the next transaction."""
        self._present, self._chains = {}, set()
        if self._table not in self._nftables.tables(FAMILY):
            return [ruleset.frame(self._config)]
        objects = self._nftables.list_json(f"list maps {FAMILY}") + self._nftables.list_json(f"list sets {FAMILY}")
        names = [_name(found) for found in objects if _belongs(found, self._table)]
        if ruleset.layout(self._config) not in names:
            # Made by another version or with another configuration. In one transaction there is no gap.
            logger.info("nftables table %s has another layout and is written anew", self._table)
            return [f"delete table {FAMILY} {self._table}", ruleset.frame(self._config)]
        for name in names:
            if name in VERDICT_MAPS or name == HAIRPIN or "/endpoint/" in name:
                self._present[name] = self._elements(name)
        fixed = ruleset.FIXED_CHAINS
        for found in self._nftables.list_json(f"list chains {FAMILY}"):
            if _belongs(found, self._table) and "/" in _name(found) and _name(found) not in fixed:
                self._chains.add(_name(found))
        return []

    def _elements(self, name: str) -> dict[str, str]:
        kind = "set" if name == HAIRPIN else "map"
        found = self._nftables.list_json(f"list {kind} {FAMILY} {self._table} {name}")[0][kind]
        return {_text(_key(element)): _text(_value(element)) for element in found.get("elem", ())}

    # -- changes ---------------------------------------------------------------------------------------------------

    def _write_changes(self, rules: Rules) -> None:
        """Write what differs from the last table, which the kernel still has."""
        gone: dict[str, list[str]] = {}
        new: Elements = {}
        changed = [front for front, rule in rules.items() if self._rules.get(front) is not rule]
        removed = self._rules.keys() - rules.keys()
        sticky: dict[Frontend, Rule] = {}
        for front in [*changed, *removed]:
            rule, old = rules.get(front), self._rules.get(front)
            if rule == old:
                continue
            before = self._rendered.get(front, {})
            after = ruleset.render(front, rule, self._present) if rule is not None else {}
            _differ(before, after, gone, new)
            if rule is None:
                del self._rendered[front]
            else:
                self._rendered[front] = after
            self._count_local(old, rule, gone, new)
            if old is not None and old.affinity:
                sticky[front] = rule if rule is not None else Rule(old.service, ())
        self._rules = dict(rules)
        if not any(gone.values()) and not any(new.values()):
            return
        self._commit([], gone, new)
        self._forget_clients(sticky)
        conntrack.end_stale_flows({front: rules.get(front) for front in [*changed, *removed]})

    def _count_local(self, old: Rule | None, rule: Rule | None, gone: dict[str, list[str]], new: Elements) -> None:
        before = old.local if old is not None else frozenset()
        after = rule.local if rule is not None else frozenset()
        for address in after - before:
            self._local[address] += 1
        for address in before - after:
            self._local[address] -= 1
        for address in before ^ after:
            key, present = _hairpin(address), self._present.get(HAIRPIN, {})
            wanted = self._local[address] > 0
            new.setdefault(HAIRPIN, {}).pop(key, None)
            gone[HAIRPIN] = [other for other in gone.get(HAIRPIN, []) if other != key]
            if wanted and key not in present:
                new[HAIRPIN][key] = ""
            elif not wanted and key in present:
                gone[HAIRPIN].append(key)
            if not wanted:
                del self._local[address]

    def _commit(self, prefix: list[str], gone: Mapping[str, Iterable[str]], new: Elements) -> None:
        """One transaction: chains and maps that are missing, elements, then what nothing leads to any more."""
        after = {name: dict(elements) for name, elements in self._present.items() if name in gone or name in new}
        for name, keys in gone.items():
            for key in keys:
                after[name].pop(key, None)
        for name, elements in new.items():
            after.setdefault(name, {}).update(elements)
        present = {**self._present, **after}
        chains = ruleset.required_chains(present)
        table = f"{FAMILY} {self._table}"
        commands = list(prefix)
        fresh = [name for name in chains if name not in self._chains]
        for name in fresh:
            store = ruleset.map_of_chain(name)
            if store is not None:
                commands.append(f"add map {table} {store} {{ type {ruleset.map_type(store)}; }}")
            commands.append(f"add chain {table} {name}")
        for name in fresh:
            commands += [f"add rule {table} {name} {rule}" for rule in ruleset.chain_rules(name, self._config)]
        commands += ruleset.element_commands(self._table, gone, new)
        stale = self._chains.difference(chains)
        commands += [f"flush chain {table} {name}" for name in stale]
        commands += [f"delete chain {table} {name}" for name in stale]
        stores = {store for name in stale if (store := ruleset.map_of_chain(name)) is not None}
        commands += [f"delete map {table} {store}" for store in stores]
        if commands:
            self._run("\n".join(commands))
        self._present = {name: elements for name, elements in present.items() if name not in stores}
        self._chains = set(chains)

    def _forget_clients(self, sticky: Mapping[Frontend, Rule]) -> None:
        """Unstick clients from endpoints that their frontend has no longer.

        Runs after the commit that took them out, so that no packet can stick to them again.
        """
        if not sticky:
            return
        allowed = {
            ruleset.key_of(front): {f"{e.address} . {e.port}" for e in (*rule.endpoints, *(rule.internal or ()))}
            for front, rule in sticky.items()
        }
        stale: list[str] = []
        for client, endpoint in self._elements(AFFINITY).items():
            _, _, frontend = client.partition(" . ")
            _, _, port = frontend.partition(" . ")
            valid = allowed.get(frontend, allowed.get(port))
            if valid is not None and endpoint not in valid:
                stale.append(client)
        for client in stale:
            try:
                self._run(f"delete element {FAMILY} {self._table} {AFFINITY} {{ {client} }}")
            except NftablesError as error:
                logger.debug("client %s had been forgotten already: %s", client, error)

    def _run(self, commands: str) -> None:
        self._nftables.run(commands)
        if self._generation is not None:
            self._generation = (self._generation + 1) & 0xFFFFFFFF


def _differ(before: Elements, after: Elements, gone: dict[str, list[str]], new: Elements) -> None:
    for name in before.keys() | after.keys():
        have, want = before.get(name, {}), after.get(name, {})
        gone.setdefault(name, []).extend(key for key, value in have.items() if want.get(key) != value)
        new.setdefault(name, {}).update({key: value for key, value in want.items() if have.get(key) != value})


def _hairpin(address: str) -> str:
    return f"{address} . {address}"


def _name(found: dict[str, Any]) -> str:
    name: str = next(iter(found.values()))["name"]
    return name


def _belongs(found: dict[str, Any], table: str) -> bool:
    inner = next(iter(found.values()))
    return bool(inner.get("table") == table)


def _key(element: Any) -> Any:
    """An element is its key, a list of key and value, or an object around a key with a timeout."""
    key = element[0] if isinstance(element, list) else element
    return key["elem"]["val"] if isinstance(key, dict) and "elem" in key else key


def _value(element: Any) -> Any:
    return element[1] if isinstance(element, list) else ""


def _text(value: Any) -> str:
    """A key or value as commands spell it."""
    if isinstance(value, dict):
        if "concat" in value:
            return " . ".join(str(part) for part in value["concat"])
        if "goto" in value:
            return f"goto {value['goto']['target']}"
        if "drop" in value:
            return "drop"
    return str(value)
