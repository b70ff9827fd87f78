"""The few iptables rules beside IPVS. They never change with Services: sets (netplugin.proxy.ipset) carry what does.

Source of the approach: kube-proxy's IPVS mode. Blocking: runs iptables' own programs.
"""

import functools
import shutil
import subprocess
from collections.abc import Sequence

from netplugin.proxy.backend import MASQUERADE_MARK, BackendConfig, BackendError

# Sets by suffix of their names.
ADDRESSES = "ADDRESSES"  # service addresses that exist for services alone
FRONTENDS = "FRONTENDS"  # everything that IPVS or a refusal answers: also the list of virtual servers that are ours
HIDE_OUTSIDERS = "HIDE-OUTSIDERS"  # frontends whose clients are masqueraded unless they are pods
HIDE_ALL = "HIDE-ALL"
DROP = "DROP"
DROP_OUTSIDERS = "DROP-OUTSIDERS"
HAIRPIN = "HAIRPIN"

_HOOKS = (
    ("nat", "PREROUTING", "MARK"),
    ("nat", "OUTPUT", "MARK"),
    ("nat", "POSTROUTING", "HIDE"),
    ("filter", "INPUT", "GUARD"),
)
_TIMEOUT = 30.0  # seconds for one call, most of which can be waiting for another program's lock


def set_name(config: BackendConfig, suffix: str) -> str:
    return f"{config.names.chain_prefix}{suffix}"


def installation(config: BackendConfig, saved: str) -> str:
    """Input for iptables-restore that writes our chains and, where `saved` (of iptables-save) lacks them, the jumps
    to them.

    Each table changes at one instant.
    """
    lines: list[str] = []
    for table, chains in _chains(config).items():
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
        lines += [f"-A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
        lines += [f"-I {jump}" for jump in _jumps(config, table) if f"-A {jump}" not in _table(saved, table)]
        lines.append("COMMIT")
    return "\n".join([*lines, ""])


def removal(config: BackendConfig, saved: str) -> str:
    """Input for iptables-restore that removes what `saved` has of ours; empty when that is nothing."""
    lines: list[str] = []
    for table, chains in _chains(config).items():
        present = _table(saved, table)
        jumps = [f"-D {jump}" for jump in _jumps(config, table) for line in present if line == f"-A {jump}"]
        ours = [chain for chain in chains if any(line.startswith(f":{chain} ") for line in present)]
        if jumps or ours:
            # Naming a chain empties it; chains that lead to others are empty before any is deleted.
            empty = [f":{chain} - [0:0]" for chain in ours]
            lines += [f"*{table}", *empty, *jumps, *(f"-X {chain}" for chain in ours), "COMMIT"]
    return "\n".join([*lines, ""]) if lines else ""


def _table(saved: str, table: str) -> list[str]:
    """The lines of one table."""
    lines = saved.splitlines()
    if f"*{table}" not in lines:
        return []
    start = lines.index(f"*{table}")
    return lines[start : lines.index("COMMIT", start)]


def _jumps(config: BackendConfig, table: str) -> list[str]:
    return [f"{hook} -j {config.names.chain_prefix}{suffix}" for of, hook, suffix in _HOOKS if of == table]


def _chains(config: BackendConfig) -> dict[str, dict[str, list[str]]]:
    """Our rules by table and chain."""
    prefix, pods = config.names.chain_prefix, config.pod_cidr
    bit = f"{MASQUERADE_MARK:#x}"
    new = "-m conntrack --ctstate NEW"

    def matches(suffix: str, directions: str) -> str:
        return f"-m set --match-set {set_name(config, suffix)} {directions}"

    egress = [
        f"-s {pods} -d {pods} -j RETURN",
        f"-s {pods} -d 224.0.0.0/4 -j RETURN",
        f"-s {pods} ! -o {config.names.bridge} -j MASQUERADE",
    ]
    # A service address is local to every node; a port that no Service has must not reach the node's own processes.
    unknown = f"{matches(ADDRESSES, 'dst')} -m set ! --match-set {set_name(config, FRONTENDS)} dst,dst {new}"
    return {
        "nat": {
            f"{prefix}MARK": [
                f"! -s {pods} {matches(HIDE_OUTSIDERS, 'dst,dst')} -j MARK --or-mark {bit}",
                f"{matches(HIDE_ALL, 'dst,dst')} -j MARK --or-mark {bit}",
            ],
            f"{prefix}HIDE": [
                f"{matches(HAIRPIN, 'dst,dst,src')} -j MASQUERADE",
                f"-m mark --mark {bit}/{bit} -j {prefix}SOURCE",
                *(egress if config.masquerade else ()),
            ],
            f"{prefix}SOURCE": [f"-j MARK --xor-mark {bit}", "-j MASQUERADE"],
        },
        "filter": {
            f"{prefix}GUARD": [
                f"{matches(DROP, 'dst,dst')} {new} -j DROP",
                f"! -s {pods} {matches(DROP_OUTSIDERS, 'dst,dst')} {new} -m addrtype ! --src-type LOCAL -j DROP",
                f"-p tcp {unknown} -j REJECT --reject-with tcp-reset",
                f"-p udp {unknown} -j REJECT",
            ],
        },
    }


class Iptables:
    """The iptables programs that work with this kernel: the newer ones speak nftables, which it may lack."""

    def __init__(self) -> None:
        """Raises BackendError when none works."""
        self._program = _working_program()

    def install(self, config: BackendConfig) -> None:
        """Write our chains and lead traffic to them. Idempotent and without a gap. Raises BackendError."""
        self._restore(installation(config, self._save()))

    def remove(self, config: BackendConfig) -> None:
        """Idempotent. Raises BackendError."""
        self._restore(removal(config, self._save()))

    def _save(self) -> str:
        return "".join(_run([f"{self._program}-save", "-t", table]) for table in ("nat", "filter"))

    def _restore(self, text: str) -> None:
        if text:
            _run([f"{self._program}-restore", "-w", "--noflush"], text)


@functools.cache
def _working_program() -> str:
    problems: list[str] = []
    for program in ("iptables", "iptables-legacy"):
        if shutil.which(program) is None:
            problems.append(f"{program} is not installed")
            continue
        try:
            _run([program, "-w", "-t", "nat", "-S", "POSTROUTING"])
        except BackendError as error:
            problems.append(str(error))
        else:
            return program
    raise BackendError(f"no iptables works on this kernel: {'; '.join(problems)}")


def _run(command: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise BackendError(f"{' '.join(command)}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout
