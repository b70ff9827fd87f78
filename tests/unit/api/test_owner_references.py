"""Owner references that an object repeats."""

from kubeactors.api.owner_references import drop_repeated_owners


def _owner(name: str, uid: str) -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def test_the_first_of_equal_references_stays() -> None:
    obj = {"metadata": {"ownerReferences": [_owner("a", "1"), _owner("b", "1"), _owner("a", "1")]}}
    [warning] = drop_repeated_owners(obj)
    assert obj["metadata"]["ownerReferences"] == [_owner("a", "1"), _owner("b", "1")]
    assert warning.startswith(".metadata.ownerReferences contains duplicate entries; API server dedups")
    assert warning.endswith("duplicate UID(s) observed: 1")


def test_what_admission_has_seen_is_told_so() -> None:
    obj = {"metadata": {"ownerReferences": [_owner("a", "1"), _owner("a", "1")]}}
    [warning] = drop_repeated_owners(obj, admitted=True)
    assert "duplicate entries after mutating admission happens; API server dedups" in warning


def test_references_that_differ_are_left_alone() -> None:
    obj = {"metadata": {"ownerReferences": [_owner("a", "1"), _owner("a", "2")]}}
    assert drop_repeated_owners(obj) == []
    assert len(obj["metadata"]["ownerReferences"]) == 2
