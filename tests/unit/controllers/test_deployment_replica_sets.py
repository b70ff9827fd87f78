"""New and old ReplicaSets, hashes, revisions, history."""

from __future__ import annotations

import copy

from kubeactors.controllers.deployment import replica_sets as sets_of
from tests.unit.controllers.objects import deployment, replica_set, template


def test_hash_is_made_of_safe_letters_and_depends_on_collisions() -> None:
    digest = sets_of.template_hash(template(), None)
    assert set(digest) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert 1 <= len(digest) <= 10
    assert digest == sets_of.template_hash(copy.deepcopy(template()), None)
    assert len({digest, sets_of.template_hash(template(), 0), sets_of.template_hash(template(), 1)}) == 3
    assert digest != sets_of.template_hash(template(image="other"), None)


def test_templates_compare_without_the_hash_label_and_what_is_empty() -> None:
    with_hash = template()
    with_hash["metadata"]["labels"]["pod-template-hash"] = "abc"
    with_hash["metadata"]["creationTimestamp"] = None
    with_hash["spec"]["securityContext"] = {}
    assert sets_of.same_template(template(), with_hash)
    assert not sets_of.same_template(template(), template(image="other"))
    zero = template()
    zero["spec"]["terminationGracePeriodSeconds"] = 0
    assert not sets_of.same_template(template(), zero)


def test_the_oldest_of_equal_sets_is_the_new_one() -> None:
    made = deployment()
    one = replica_set("one", image="registry.example/web:1", age=5)
    two = replica_set("two", image="registry.example/web:1", age=9)
    other = replica_set("other", image="x", age=99)
    new, old = sets_of.split(made, [one, other, two])
    assert new is two
    assert old == [other, one]


def test_a_fresh_set() -> None:
    made = deployment(minReadySeconds=5)
    made["metadata"]["annotations"] = {
        "note": "hi",
        "deployment.kubernetes.io/revision": "7",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    fresh = sets_of.fresh(made, 3, 2, 1)
    digest = fresh["metadata"]["labels"]["pod-template-hash"]
    assert fresh["metadata"]["name"] == f"web-{digest}"
    assert fresh["metadata"]["annotations"] == {
        "note": "hi",
        "deployment.kubernetes.io/revision": "3",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert fresh["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert fresh["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == digest
    assert fresh["spec"]["minReadySeconds"] == 5
    assert fresh["metadata"]["ownerReferences"][0]["controller"] is True
    assert "pod-template-hash" not in made["spec"]["template"]["metadata"]["labels"]


def test_a_rollback_gives_a_new_number_and_remembers_the_old() -> None:
    present = replica_set("a", annotations={sets_of.REVISION: "1"})
    got = sets_of.annotations_for(deployment(), present, 4)
    assert got[sets_of.REVISION] == "4"
    assert got[sets_of.REVISION_HISTORY] == "1"
    present["metadata"]["annotations"] = got
    assert sets_of.annotations_for(deployment(), present, 6)[sets_of.REVISION_HISTORY] == "1,4"


def test_a_revision_never_falls() -> None:
    present = replica_set("a", annotations={sets_of.REVISION: "5"})
    assert sets_of.annotations_for(deployment(), present, 2)[sets_of.REVISION] == "5"


def test_revisions_count_on_from_the_highest_old_one() -> None:
    olds = [
        replica_set("a", annotations={sets_of.REVISION: "10"}),
        replica_set("b", annotations={sets_of.REVISION: "9"}),
        replica_set("c", annotations={sets_of.REVISION: "nonsense"}),
    ]
    assert sets_of.next_revision(olds) == 11
    assert sets_of.next_revision([]) == 1


def test_history_beyond_the_limit_goes_lowest_revision_first() -> None:
    olds = [replica_set(f"s{n}", 0, annotations={sets_of.REVISION: str(n)}) for n in (3, 1, 10, 2)]
    gone = sets_of.to_clean_up(deployment(revisionHistoryLimit=2), olds)
    assert [rs["metadata"]["name"] for rs in gone] == ["s1", "s2"]
    assert sets_of.to_clean_up(deployment(revisionHistoryLimit=None), olds) == []


def test_sets_in_use_stay() -> None:
    busy = replica_set("busy", 0)
    busy["status"]["replicas"] = 1
    unseen = replica_set("unseen", 0)
    unseen["metadata"]["generation"] = 2
    assert sets_of.to_clean_up(deployment(revisionHistoryLimit=0), [busy, unseen, replica_set("sized", 1)]) == []
