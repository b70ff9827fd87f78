"""A deployment's ReplicaSets: which is the new one, their revisions, and what a fresh one looks like."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from kubeactors.api.meta import Object, annotations, controller_ref, labels

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"

# Annotations of a deployment that must not go down to its ReplicaSets.
_NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    )
)
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so no words; nothing that looks like another


def replicas_of(replica_set: Object) -> int:
    """The size that its spec asks for."""
    wanted = replica_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def status_count(replica_set: Object, field: str) -> int:
    return int((replica_set.get("status") or {}).get(field) or 0)


def total_replicas(sets: Iterable[Object]) -> int:
    return sum(map(replicas_of, sets))


def active(sets: Iterable[Object]) -> list[Object]:
    """Those that ask for at least one pod."""
    return [rs for rs in sets if replicas_of(rs) > 0]


def by_age(replica_set: Object) -> tuple[str, str]:
    """Sort key, oldest first; the name decides between those of one second."""
    meta = replica_set["metadata"]
    return meta.get("creationTimestamp") or "", meta["name"]


def template_hash(template: Object, collisions: int | None) -> str:
    """The pod-template-hash: FNV-1a of the template's canonical JSON, in letters that cannot spell a word.

    The count of collisions so far salts it, so that a name that another template took is not tried twice.
    """
    value = 0x811C9DC5
    data = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    if collisions is not None:
        data += str(collisions).encode()
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(c) % len(_SAFE_ALPHABET)] for c in str(value))


def _significant(value: Any) -> Any:
    """Without what is null or empty: absent and empty mean the same in a template."""
    if isinstance(value, dict):
        kept = ((key, _significant(item)) for key, item in value.items())
        return {key: item for key, item in kept if item not in (None, {}, [])}
    if isinstance(value, list):
        return [_significant(item) for item in value]
    return value


def same_template(one: Object, other: Object) -> bool:
    """Whether two pod templates are the same but for the pod-template-hash label."""

    def bare(template: Object) -> Any:
        meta = dict(template.get("metadata") or {})
        meta["labels"] = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
        meta.pop("creationTimestamp", None)
        return _significant({**template, "metadata": meta})

    return bool(bare(one) == bare(other))


def split(deployment: Object, sets: Iterable[Object]) -> tuple[Object | None, list[Object]]:
    """The set of the deployment's present template, if there is one, and all others, oldest first.

    Of several with that template the oldest is the new one, so that every look at them picks the same.
    """
    ordered = sorted(sets, key=by_age)
    template = deployment["spec"]["template"]
    new = next((rs for rs in ordered if same_template(rs["spec"]["template"], template)), None)
    return new, [rs for rs in ordered if rs is not new]


def revision(obj: Object) -> int:
    """Its revision number; 0 where it has none or one that is no number."""
    try:
        return int(annotations(obj).get(REVISION) or 0)
    except ValueError:
        return 0


def next_revision(old: Iterable[Object]) -> int:
    return max(map(revision, old), default=0) + 1


def annotations_for(deployment: Object, existing: Object | None, number: int) -> dict[str, str]:
    """The annotations of the new set: the deployment's own, the revision, and the revisions it had before.

    The revision never falls: older sets may have been deleted since it was given.
    """
    before = dict(annotations(existing)) if existing is not None else {}
    result = {**before, **{k: v for k, v in annotations(deployment).items() if k not in _NOT_COPIED}}
    if existing is None or revision(existing) < number:
        result[REVISION] = str(number)
        if REVISION in before:  # a roll-back: this set served before, under its old number
            history = [part for part in before.get(REVISION_HISTORY, "").split(",") if part]
            result[REVISION_HISTORY] = ",".join([*history, before[REVISION]])
    return result


def size_annotations(desired: int, surge: int) -> dict[str, str]:
    """What tells a change of the deployment's size from a step of its rollout."""
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(desired + surge)}


def desired_annotation(replica_set: Object, field: str) -> int | None:
    try:
        return int(annotations(replica_set)[field])
    except (KeyError, ValueError):
        return None


def fresh(deployment: Object, number: int, replicas: int, surge: int) -> Object:
    """The ReplicaSet to create for the deployment's present template."""
    spec = deployment["spec"]
    collisions = (deployment.get("status") or {}).get("collisionCount")
    template = copy.deepcopy(spec["template"])
    digest = template_hash(template, collisions)
    meta = template.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), HASH_LABEL: digest}
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    built: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(meta["labels"]),
            "annotations": annotations_for(deployment, None, number)
            | size_annotations(int(spec.get("replicas", 1)), surge),
            "ownerReferences": [controller_ref(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        built["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return built


def to_clean_up(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """The old sets beyond revisionHistoryLimit, lowest revision first, that nothing depends on any more."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    alive = [rs for rs in old if not rs["metadata"].get("deletionTimestamp")]
    surplus = sorted(alive, key=revision)[: max(0, len(alive) - limit)]
    return [
        rs
        for rs in surplus
        if not replicas_of(rs)
        and not status_count(rs, "replicas")
        and rs["metadata"].get("generation", 0) <= status_count(rs, "observedGeneration")
    ]


def template_labels(replica_set: Object) -> dict[str, str]:
    return dict(labels(replica_set["spec"]["template"]))
