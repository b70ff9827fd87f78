"""One run: clients and watchers on a cluster, faults meanwhile, and what must hold of all that was answered."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubeactors.store.client import TlsFiles
from tests.linearizability.checker import assert_linearizable
from tests.linearizability.history import History, save
from tests.linearizability.nemesis import CHANGES, Nemesis
from tests.linearizability.register import EtcdRegister, Register, SessionRegister
from tests.linearizability.target import Target, serving
from tests.linearizability.watches import Watcher, WatchRecord, check_agreement, check_log, check_watch
from tests.linearizability.workload import Mix, Workload

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` of faults by `seed`, `at_least` so many. `kinds`: what clients go through. `watchers`: besides the one
    that sees all."""

    seconds: float
    faults: Sequence[str] = ()
    at_least: int = 0
    seed: int = 0
    clients: int = 9
    watchers: int = 2
    mix: Mix = field(default_factory=Mix)
    kinds: Sequence[str] = ("session", "roaming", "unary", "etcd")
    serializable: bool = False
    lasting: tuple[float, float] = (0.5, 3.0)
    between: tuple[float, float] = (0.3, 2.0)


@dataclass(slots=True)
class Run:
    """What was recorded. `log`: the watcher that followed from the first revision on."""

    history: History
    log: WatchRecord
    watches: list[WatchRecord]
    faults: list[str]

    def verify(self, seconds: float = 60.0) -> None:
        """Raises NotLinearizable, WatchViolation, Undecided."""
        assert_linearizable(self.history, seconds=seconds)
        for record in (self.log, *self.watches):
            check_watch(record)
        check_agreement([self.log, *self.watches])
        check_log(self.history, self.log.changes)

    def summary(self) -> str:
        kinds = Counter(op.kind.value for op in self.history)
        counts = self.history.counts()
        return (
            f"{len(self.history)} operations ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}): "
            f"{counts['ok']} answered, {counts['failed']} surely not applied, {counts['unknown']} unknown; "
            f"{len(self.log.changes)} changes; faults: {', '.join(self.faults) or 'none'}"
        )


def connect(
    kind: str, endpoint: str, others: Sequence[str], tls: TlsFiles | None, *, serializable: bool = False
) -> Register:
    """`kind`: session, unary (both through StoreClient), etcd (plain stubs), each pinned to `endpoint`; or roaming:
    a session that goes over to `others` when that member does not answer."""
    if kind == "etcd":
        return EtcdRegister(endpoint, tls, serializable=serializable)
    if kind == "unary":
        return SessionRegister([endpoint], tls, transport="unary", serializable=serializable)
    return SessionRegister([endpoint, *(others if kind == "roaming" else ())], tls, serializable=serializable)


async def carry_out(target: Target, plan: Plan) -> Run:
    """The target must be new (nothing was ever written) and serve. It serves again afterwards.

    Raises what clients, watchers and faults raise beyond refusals and missing answers.
    """
    members = len(target.names)

    def endpoints() -> list[str]:
        return [target.endpoint(name) for name in target.names]

    def register(number: int, endpoint: str) -> Register:
        # By the turn around the members, so that each kind goes through each member.
        kind = plan.kinds[(number // members + number) % len(plan.kinds)]
        others = [other for other in endpoints() if other != endpoint]
        return connect(kind, endpoint, others, target.tls, serializable=plan.serializable)

    workload = Workload(endpoints, register, clients=plan.clients, mix=plan.mix, seed=plan.seed)
    # The log follows one watch for long; when members come and go, it must learn of those that came.
    log_changes = (5.0, 10.0) if set(plan.faults) & CHANGES.keys() else None
    log = Watcher("log", endpoints, plan.mix.prefix, tls=target.tls, change_after=log_changes, seed=plan.seed)
    watchers = [
        Watcher(f"w{n}", endpoints, plan.mix.prefix, tls=target.tls, prev_kv=bool(n % 2), seed=plan.seed)
        for n in range(plan.watchers)
    ]
    nemesis = Nemesis(target, plan.faults, seed=plan.seed, lasting=plan.lasting, between=plan.between)
    for watcher in (log, *watchers):
        watcher.start()
    revision = 0
    try:
        workload.start()
        try:
            await (nemesis.run(plan.seconds, plan.at_least) if plan.faults else asyncio.sleep(plan.seconds))
            await serving(target)
            # What still runs when the faults are over must end well, too.
            await asyncio.sleep(min(1.0, plan.seconds / 4))
        finally:
            await workload.stop()
        await workload.read_all()
        revision = max(op.revision for op in workload.history)
    finally:
        ends = await asyncio.gather(*(w.finish(revision) for w in (log, *watchers)), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return Run(workload.history, log.record, [w.record for w in watchers], nemesis.done)


async def check_run(target: Target, plan: Plan, directory: Path) -> Run:
    """Carry out and verify; what fails leaves its history in `directory`. Raises AssertionError, Undecided."""
    run = await carry_out(target, plan)
    logger.info("%s", run.summary())
    try:
        run.verify()
    except BaseException as error:
        path = directory / f"history-{plan.seed}.jsonl"
        save(run.history, path)
        error.add_note(f"seed {plan.seed}; {run.summary()}\npython -m tests.linearizability check {path}")
        raise
    return run
