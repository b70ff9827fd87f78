"""Going back to an earlier template of a workload: the rules of `kubectl rollout undo`, as patches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from kubeactors.api import meta
from kubeactors.client.results import Object

REVISION = "deployment.kubernetes.io/revision"
HASH_LABEL = "pod-template-hash"
#: Annotations of a ReplicaSet that are not its deployment's (kubectl's annotationsToSkip).
_NOT_COPIED = (
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
)


def chosen(owner: Object, history: Sequence[Object], number: Callable[[Object], int], to: int | None) -> Object:
    """Of the history's objects that belong to `owner` the one of revision `to`; None: the one before the newest.

    Raises LookupError when there is none.
    """
    own = [each for each in history if (meta.controller_of(each) or {}).get("uid") == meta.uid(owner)]
    own.sort(key=number)
    if to is None:
        if len(own) < 2:
            raise LookupError(f"no rollout history found for {owner['kind']} {meta.key(owner)}")
        return own[-2]
    for each in own:
        if number(each) == to:
            return each
    known = ", ".join(str(number(each)) for each in own)
    raise LookupError(f"{owner['kind']} {meta.key(owner)} has no revision {to}, but {known or 'none'}")


def replica_set_number(replica_set: Object) -> int:
    """A ReplicaSet's revision; 0 when its deployment's controller has not numbered it."""
    text = meta.annotations(replica_set).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def revision_number(revision: Object) -> int:
    """A ControllerRevision's."""
    return int(revision.get("revision") or 0)


def deployment_patch(deployment: Object, replica_set: Object) -> list[Object]:
    """A JSON patch that gives the deployment the ReplicaSet's template, and its annotations as kubectl does; empty when
    it has that template. Raises ValueError for a paused deployment."""
    if deployment["spec"].get("paused"):
        raise ValueError(f"you cannot rollback a paused deployment: resume {meta.key(deployment)} first")
    template = copy.deepcopy(replica_set["spec"]["template"])
    (template["metadata"].get("labels") or {}).pop(HASH_LABEL, None)
    if template == deployment["spec"]["template"]:
        return []
    kept = {key: value for key, value in meta.annotations(deployment).items() if key in _NOT_COPIED}
    taken = {key: value for key, value in meta.annotations(replica_set).items() if key not in _NOT_COPIED}
    return [
        {"op": "test", "path": "/metadata/uid", "value": meta.uid(deployment)},
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "add", "path": "/metadata/annotations", "value": {**kept, **taken}},
    ]
