"""ReplicationControllers: what ReplicaSets were called before, with a plain map for a selector."""

from kubeactors.api.selectors import from_map
from kubeactors.controllers.replicaset.controller import ReplicaSetController, Replicated


class ReplicationManager(ReplicaSetController):
    name = "replicationcontroller"
    kind = Replicated(
        "replicationcontrollers",
        "v1",
        "ReplicationController",
        lambda obj: from_map(obj["spec"].get("selector")),
        counts_terminating=False,
    )
