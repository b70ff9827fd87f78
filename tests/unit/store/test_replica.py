"""Several replicas together: who answers what, when, and what happens to it when leaders change."""

from __future__ import annotations

from tests.support.replicas import Cluster


def test_a_lone_voter_leads_at_once_and_answers() -> None:
    cluster = Cluster(1)
    cluster.settle()
    only = cluster[0]
    assert only.up.leading
    answer = only.put(b"k", b"v")
    assert answer.outcome is None
    cluster.settle()
    assert answer.applied
    assert only.read(b"k").outcome == b"v"


def test_three_elect_a_leader_and_all_apply() -> None:
    cluster = Cluster(3)
    leader = cluster.elect()
    answers = [leader.put(b"k%d" % n, b"v") for n in range(10)]
    cluster.tick(3)
    assert all(answer.applied for answer in answers)
    assert len(cluster.states()[0]) == 10  # type: ignore[arg-type]
    assert cluster.states()[0] == cluster.states()[1] == cluster.states()[2]
