"""The apparatus on stores whose verdict is known: a real etcd passes; asked for stale reads, it is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.linearizability.checker import NotLinearizable, assert_linearizable
from tests.linearizability.nemesis import KILLS, PAUSES
from tests.linearizability.run import Plan, carry_out, check_run
from tests.linearizability.target import LoneStore, RealEtcd
from tests.linearizability.watches import WatchViolation, check_log
from tests.support.store_process import StoreProcess


async def test_a_real_etcd_passes(tmp_path: Path) -> None:
    with RealEtcd(tmp_path / "etcd") as etcd:
        plan = Plan(6, [*KILLS, *PAUSES], seed=1, kinds=("unary", "etcd"), lasting=(0.3, 1.0), between=(0.2, 0.8))
        run = await check_run(etcd, plan, tmp_path)
    assert len(run.faults) >= 3, run.faults
    assert run.history.counts()["ok"] > 300, run.summary()


async def test_reads_that_need_no_majority_are_found_out(tmp_path: Path) -> None:
    """Serializable reads answer from a member's own state, which a paused member has not brought up to date."""
    with RealEtcd(tmp_path / "etcd") as etcd:
        plan = Plan(4, ["pause_one"], seed=2, kinds=("unary", "etcd"), lasting=(0.4, 0.8), serializable=True)
        run = await carry_out(etcd, plan)
    with pytest.raises(NotLinearizable):
        assert_linearizable(run.history)
    with pytest.raises(WatchViolation):
        check_log(run.history, run.log.changes)


async def test_one_member_under_kill_9(tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "store") as process:
        await process.start()
        plan = Plan(6, ["kill_all", "pause_one"], seed=3, lasting=(0.1, 0.5), between=(0.2, 0.8))
        run = await check_run(LoneStore(process), plan, tmp_path)
    assert len(run.faults) >= 3, run.faults
    assert run.history.counts()["ok"] > 300, run.summary()
