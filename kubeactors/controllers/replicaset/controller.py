"""The ReplicaSet controller: creates and deletes pods until there are as many as asked for.

`Replicated` says what differs between the kinds that it does this for: ReplicationControllers are the other one
(`replication_manager.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, controller_of, controller_ref, is_deleting, key, labels, namespace
from kubeactors.api.selectors import LabelSelector, from_label_selector
from kubeactors.controllers.controller import Controller, Surroundings, by_controller, pod_informer
from kubeactors.controllers.expectations import Expectations
from kubeactors.controllers.ownership import claims, settle
from kubeactors.controllers.pods import is_active, is_terminating, pod_from_template
from kubeactors.controllers.refusals import is_namespace_terminating
from kubeactors.controllers.replicaset.ranking import pods_to_delete
from kubeactors.controllers.replicaset.status import next_availability_check, status_of

logger = logging.getLogger(__name__)

BURST = 500  # pods created or deleted at one time for one set


@dataclass(frozen=True)
class Replicated:
    """A kind whose objects keep so many pods of their template: its resource, its type, and how it selects its pods.

    `counts_terminating`: its status has terminatingReplicas (KEP-3973).
    """

    resource: str
    api_version: str
    kind: str
    selector: Callable[[Object], LabelSelector]
    counts_terminating: bool


class ReplicaSetController(Controller):
    name = "replicaset"
    kind = Replicated(
        "replicasets.apps", "apps/v1", "ReplicaSet", lambda obj: from_label_selector(obj["spec"]["selector"]), True
    )

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._expectations = Expectations(around.clock)
        self._sets = around.informers.informer(self.kind.resource, indexers={"controller": by_controller})
        self._pods = pod_informer(around.informers)
        self._sets.add_handler(self.enqueue, lambda _, new: self.enqueue(new), self._set_deleted)
        self._pods.add_handler(self._pod_added, self._pod_updated, self._pod_deleted)

    # Handlers

    def _set_deleted(self, replica_set: Object) -> None:
        self._expectations.forget(key(replica_set))
        self.enqueue(replica_set)

    def _owner(self, pod: Object) -> Object | None:
        reference = controller_of(pod)
        if reference is None or reference.get("kind") != self.kind.kind:
            return None
        owner = self._sets.lister.get(namespace(pod), reference["name"])
        return owner if owner is not None and owner["metadata"]["uid"] == reference.get("uid") else None

    def _pod_added(self, pod: Object) -> None:
        if is_deleting(pod):  # at a restart: it was never waited for
            self._pod_deleted(pod)
        elif (owner := self._owner(pod)) is not None:
            self._expectations.creation_observed(key(owner))
            self.enqueue(owner)
        elif controller_of(pod) is None:
            self._enqueue_matching(pod)

    def _pod_updated(self, old: Object, pod: Object) -> None:
        if is_deleting(pod) and not is_deleting(old):
            self._observe_deletion(pod)
        before, after = controller_of(old), controller_of(pod)
        if before != after and (owner := self._owner(old)) is not None:
            self.enqueue(owner)
        if after is not None:
            if (owner := self._owner(pod)) is not None:
                self.enqueue(owner)
        elif before != after or labels(old) != labels(pod):
            self._enqueue_matching(pod)

    def _pod_deleted(self, pod: Object) -> None:
        self._observe_deletion(pod)
        if (owner := self._owner(pod)) is not None:
            self.enqueue(owner)

    def _observe_deletion(self, pod: Object) -> None:
        if (owner := self._owner(pod)) is not None:
            self._expectations.deletion_observed(key(owner), pod["metadata"]["uid"])

    def _enqueue_matching(self, pod: Object) -> None:
        for replica_set in self._sets.lister.list(namespace(pod)):
            selector = self.kind.selector(replica_set)
            if not selector.empty and selector.matches(labels(pod)):
                self.enqueue(replica_set)

    # Reconciling

    async def reconcile(self, key: str) -> float | None:
        replica_set = self._sets.lister.get_by_key(key)
        if replica_set is None:
            self._expectations.forget(key)
            return None
        # Before the pods are listed: what is seen after this was seen by the list too.
        caught_up = self._expectations.satisfied(key)
        selector = self.kind.selector(replica_set)
        active = await self._claim(replica_set, selector)
        failure: tuple[str, str] | None = None
        cause: StatusError | None = None
        if caught_up and not is_deleting(replica_set):
            missing = self._wanted(replica_set) - len(active)
            try:
                await self._manage(key, replica_set, active, missing)
            except StatusError as error:
                cause, failure = error, ("FailedCreate" if missing > 0 else "FailedDelete", error.message)
        owned = self._pods.lister.by_index("controller", replica_set["metadata"]["uid"])
        terminating = sum(map(is_terminating, owned)) if self.kind.counts_terminating else None
        status = status_of(replica_set, active, terminating, failure, self.now())
        await self._write_status(replica_set, status)
        if cause is not None:
            raise cause
        return next_availability_check(replica_set, active, self.now())

    @staticmethod
    def _wanted(replica_set: Object) -> int:
        wanted = replica_set["spec"].get("replicas")
        return 1 if wanted is None else int(wanted)

    async def _claim(self, replica_set: Object, selector: LabelSelector) -> list[Object]:
        """The set's active pods, after adopting and releasing."""
        lister = self._pods.lister
        orphans = lister.by_index("controller", f"orphan/{namespace(replica_set)}")
        candidates = [*lister.by_index("controller", replica_set["metadata"]["uid"]), *orphans]
        found = claims(replica_set, filter(is_active, candidates), lambda pod: selector.matches(labels(pod)))
        owner_type = (self.kind.api_version, self.kind.kind)
        return await settle(self.client, "pods", self.kind.resource, replica_set, owner_type, found, is_active)

    async def _manage(self, key: str, replica_set: Object, active: Sequence[Object], missing: int) -> None:
        if missing > 0:
            await self._create(key, replica_set, min(missing, BURST))
        elif missing < 0:
            related = self._related(replica_set)
            surplus = pods_to_delete(active, related or active, min(-missing, BURST), self.now())
            await self._delete(key, replica_set, surplus)

    def _related(self, replica_set: Object) -> list[Object]:
        """The pods of all sets of this one's controller."""
        reference = controller_of(replica_set)
        siblings = [replica_set]
        if reference is not None:
            siblings = list(self._sets.lister.by_index("controller", reference["uid"]))
        lister = self._pods.lister
        return [pod for rs in siblings for pod in lister.by_index("controller", rs["metadata"]["uid"])]

    async def _create(self, key: str, replica_set: Object, count: int) -> None:
        """In batches that double from one: if the pods are refused, few requests find out."""
        self._expectations.expect_creations(key, count)
        reference = controller_ref(replica_set, self.kind.api_version, self.kind.kind)
        pod = pod_from_template(replica_set["spec"]["template"], replica_set, reference)
        done, batch = 0, 1
        while done < count:
            size = min(batch, count - done)
            calls = (self._create_one(key, replica_set, pod) for _ in range(size))
            results = await asyncio.gather(*calls, return_exceptions=True)
            done, batch = done + size, batch * 2
            errors = [error for error in results if isinstance(error, BaseException)]
            if errors:
                self._expectations.creation_observed(key, count - done)
                raise errors[0]

    async def _create_one(self, key: str, replica_set: Object, pod: Object) -> None:
        try:
            created = await self.client.create("pods", pod, namespace(replica_set))
        except StatusError as error:
            self._expectations.creation_observed(key)
            if is_namespace_terminating(error):
                return  # everything here is about to go
            self.recorder.event(replica_set, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        except BaseException:
            self._expectations.creation_observed(key)
            raise
        self.recorder.event(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    async def _delete(self, key: str, replica_set: Object, pods: Sequence[Object]) -> None:
        self._expectations.expect_deletions(key, (pod["metadata"]["uid"] for pod in pods))
        one = partial(self._delete_one, key, replica_set)
        results = await asyncio.gather(*map(one, pods), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                raise error

    async def _delete_one(self, key: str, replica_set: Object, pod: Object) -> None:
        meta = pod["metadata"]
        try:
            await self.client.delete("pods", meta["name"], meta["namespace"], preconditions={"uid": meta["uid"]})
        except StatusError as error:
            self._expectations.deletion_observed(key, meta["uid"])
            if error.code in (404, 409):
                return  # gone, or another pod of that name: either way no longer ours
            self.recorder.event(replica_set, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        except BaseException:
            self._expectations.deletion_observed(key, meta["uid"])
            raise
        self.recorder.event(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    async def _write_status(self, replica_set: Object, status: Object) -> None:
        if (replica_set.get("status") or {}) == status:
            return
        try:
            await self.client.update(self.kind.resource, {**replica_set, "status": status}, subresource="status")
        except StatusError as error:
            if error.code != 404:
                raise
