"""The Deployment controller: reads a deployment with its ReplicaSets, writes one step towards what it asks for."""

import logging
from collections.abc import Sequence

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, annotations, controller_of, is_deleting, key, labels, namespace
from kubeactors.api.selectors import from_label_selector
from kubeactors.controllers.controller import Controller, Surroundings, by_controller, pod_informer
from kubeactors.controllers.deployment import replica_sets as sets_of
from kubeactors.controllers.deployment import scaling
from kubeactors.controllers.deployment import status as statuses
from kubeactors.controllers.deployment.scaling import Scale
from kubeactors.controllers.ownership import claims, settle
from kubeactors.controllers.pods import is_finished
from kubeactors.controllers.refusals import is_namespace_terminating

logger = logging.getLogger(__name__)

DEPLOYMENTS = "deployments.apps"
REPLICA_SETS = "replicasets.apps"


class DeploymentController(Controller):
    name = "deployment"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._deployments = around.informers.informer(DEPLOYMENTS)
        self._sets = around.informers.informer(REPLICA_SETS, indexers={"controller": by_controller})
        self._pods = pod_informer(around.informers)
        self._deployments.add_handler(self.enqueue, lambda _, new: self.enqueue(new), self.enqueue)
        self._sets.add_handler(self._set_changed, self._set_updated, self._set_changed)
        self._pods.add_handler(None, None, self._pod_deleted)

    # Handlers

    def _owner(self, replica_set: Object) -> Object | None:
        reference = controller_of(replica_set)
        if reference is None or reference.get("kind") != "Deployment":
            return None
        owner = self._deployments.lister.get(namespace(replica_set), reference["name"])
        return owner if owner is not None and owner["metadata"]["uid"] == reference.get("uid") else None

    def _set_changed(self, replica_set: Object) -> None:
        if controller_of(replica_set) is not None:
            if (owner := self._owner(replica_set)) is not None:
                self.enqueue(owner)
            return
        for deployment in self._deployments.lister.list(namespace(replica_set)):
            selector = from_label_selector(deployment["spec"]["selector"])
            if not selector.empty and selector.matches(labels(replica_set)):
                self.enqueue(deployment)

    def _set_updated(self, old: Object, new: Object) -> None:
        before, after = controller_of(old), controller_of(new)
        if before != after and (owner := self._owner(old)) is not None:
            self.enqueue(owner)
        if after is not None or before != after or labels(old) != labels(new):
            self._set_changed(new)

    def _pod_deleted(self, pod: Object) -> None:
        """A deployment that recreates waits until its old pods are gone."""
        reference = controller_of(pod)
        if reference is None or reference.get("kind") != "ReplicaSet":
            return
        replica_set = self._sets.lister.get(namespace(pod), reference["name"])
        owner = self._owner(replica_set) if replica_set is not None else None
        if owner is not None and not scaling.is_rolling(owner):
            self.enqueue(owner)

    # Reconciling

    async def reconcile(self, key: str) -> float | None:
        deployment = self._deployments.lister.get_by_key(key)
        if deployment is None:
            return None
        selector = from_label_selector(deployment["spec"]["selector"])
        if selector.empty:
            self.recorder.event(
                deployment,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        lister = self._sets.lister
        orphans = lister.by_index("controller", f"orphan/{namespace(deployment)}")
        candidates = [*lister.by_index("controller", deployment["metadata"]["uid"]), *orphans]
        found = claims(deployment, candidates, lambda rs: selector.matches(labels(rs)))
        sets = await settle(self.client, REPLICA_SETS, DEPLOYMENTS, deployment, ("apps/v1", "Deployment"), found)
        new, old = sets_of.split(deployment, sets)
        if is_deleting(deployment):
            await self._write_status(deployment, statuses.counted(deployment, sets, new, self.now()))
            return None
        paused = statuses.paused_status(deployment, self.now())
        if paused is not None:
            deployment = await self._update_status(deployment, paused)
        if deployment["spec"].get("paused") or scaling.is_scaling_event(deployment, sets):
            await self._resize(deployment, new, old)
            return None
        if scaling.is_rolling(deployment):
            return await self._roll(deployment, new, old)
        return await self._recreate(deployment, new, old)

    async def _resize(self, deployment: Object, new: Object | None, old: list[Object]) -> None:
        """Follow the deployment's size only; a rollout goes on afterwards, or when the pause ends."""
        if new is not None:
            deployment, new = await self._sync_new(deployment, new, old)
        for step in scaling.scale_all(deployment, new, old):
            await self._scale(deployment, step)
        await self._clean_up(deployment, old)
        sets = [*old, new] if new is not None else old
        await self._write_status(deployment, statuses.counted(deployment, sets, new, self.now()))

    async def _roll(self, deployment: Object, new: Object | None, old: list[Object]) -> float | None:
        deployment, new = await self._ensure_new(deployment, new, old)
        sets = [*old, new]
        steps = scaling.scale_new(deployment, sets, new) or scaling.scale_old(deployment, old, new)
        current = {rs["metadata"]["name"]: rs for rs in sets}
        for step in steps:
            name = step.replica_set["metadata"]["name"]
            current[name] = await self._scale(deployment, Scale(current[name], step.replicas))
        if not steps and statuses.is_complete(deployment, deployment.get("status") or {}):
            await self._clean_up(deployment, old)
        new = current[new["metadata"]["name"]]
        return await self._write_rollout_status(deployment, list(current.values()), new)

    async def _recreate(self, deployment: Object, new: Object | None, old: list[Object]) -> float | None:
        if new is not None:
            deployment, new = await self._sync_new(deployment, new, old)
        sets = [*old, new] if new is not None else old
        running = sets_of.active(old)
        if running:
            for rs in running:
                await self._scale(deployment, Scale(rs, 0))
            return await self._write_rollout_status(deployment, sets, new)
        if self._old_pods_left(old):
            return await self._write_rollout_status(deployment, sets, new)
        deployment, new = await self._ensure_new(deployment, new, old)
        desired = scaling.desired_replicas(deployment)
        if sets_of.replicas_of(new) != desired:
            new = await self._scale(deployment, Scale(new, desired))
        if statuses.is_complete(deployment, deployment.get("status") or {}):
            await self._clean_up(deployment, old)
        return await self._write_rollout_status(deployment, [*old, new], new)

    def _old_pods_left(self, old: Sequence[Object]) -> bool:
        """Whether a pod of an old template may still run: pods that are ending count until they have ended."""
        if any(sets_of.status_count(rs, "replicas") for rs in old):
            return True
        pods = self._pods.lister
        return any(not is_finished(pod) for rs in old for pod in pods.by_index("controller", rs["metadata"]["uid"]))

    # Writing

    async def _ensure_new(self, deployment: Object, new: Object | None, old: list[Object]) -> tuple[Object, Object]:
        if new is not None:
            return await self._sync_new(deployment, new, old)
        return await self._create_new(deployment, old)

    async def _sync_new(self, deployment: Object, new: Object, old: list[Object]) -> tuple[Object, Object]:
        """Bring the new set's annotations and the deployment's revision up to date."""
        wanted = sets_of.annotations_for(deployment, new, sets_of.next_revision(old))
        minimum = deployment["spec"].get("minReadySeconds") or 0
        if wanted != annotations(new) or minimum != (new["spec"].get("minReadySeconds") or 0):
            meta = {**new["metadata"], "annotations": wanted}
            spec = {**new["spec"], "minReadySeconds": minimum}
            new = await self.client.update(REPLICA_SETS, {**new, "metadata": meta, "spec": spec})
        status = deployment.get("status") or {}
        after = status
        if statuses.has_deadline(deployment) and statuses.condition_of(status, "Progressing") is None:
            found = f'Found new replica set "{new["metadata"]["name"]}"'
            after = statuses.with_condition(status, "Progressing", "True", "FoundNewReplicaSet", found, self.now())
        return await self._note_revision(deployment, new, after), new

    async def _create_new(self, deployment: Object, old: list[Object]) -> tuple[Object, Object]:
        placeholder = {"metadata": {}, "spec": {"replicas": 0}}
        size = scaling.new_set_size(deployment, [*old, placeholder], 0)
        number = sets_of.next_revision(old)
        wanted = sets_of.fresh(deployment, number, size, scaling.max_surge(deployment))
        name = wanted["metadata"]["name"]
        status = deployment.get("status") or {}
        created: Object | None = None
        try:
            created = await self.client.create(REPLICA_SETS, wanted)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                return deployment, await self._already_there(deployment, wanted, error)
            if is_namespace_terminating(error):
                raise
            message = f'Failed to create new replica set "{name}": {error.message}'
            if statuses.has_deadline(deployment):
                failed = statuses.with_condition(
                    status, "Progressing", "False", "ReplicaSetCreateError", message, self.now()
                )
                await self._update_status(deployment, failed)
            self.recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
            raise
        if size:
            self.recorder.event(
                deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}"
            )
        if statuses.has_deadline(deployment):
            status = statuses.with_condition(
                status, "Progressing", "True", "NewReplicaSetCreated", f'Created new replica set "{name}"', self.now()
            )
        return await self._note_revision(deployment, created, status), created

    async def _already_there(self, deployment: Object, wanted: Object, error: StatusError) -> Object:
        """The set of that name if it is ours after all (our cache was behind); else count a hash collision."""
        meta = wanted["metadata"]
        present = await self.client.get(REPLICA_SETS, meta["name"], meta["namespace"])
        owner = controller_of(present)
        same = sets_of.same_template(present["spec"]["template"], deployment["spec"]["template"])
        if owner is not None and owner.get("uid") == deployment["metadata"]["uid"] and same:
            return present
        status = dict(deployment.get("status") or {})
        before = int(status.get("collisionCount") or 0)
        status["collisionCount"] = before + 1
        await self._update_status(deployment, status)
        logger.info("deployment %s: a hash collision on %s, now %d", key(deployment), meta["name"], before + 1)
        raise error

    async def _note_revision(self, deployment: Object, new: Object, status: Object) -> Object:
        """Copy the new set's revision to the deployment, with `status` in the same write."""
        number = annotations(new).get(sets_of.REVISION, "")
        if annotations(deployment).get(sets_of.REVISION) == number and status == (deployment.get("status") or {}):
            return deployment
        noted = {**annotations(deployment), sets_of.REVISION: number}
        changed = {**deployment, "metadata": {**deployment["metadata"], "annotations": noted}}
        return await self._update_status(changed, status)

    async def _scale(self, deployment: Object, step: Scale) -> Object:
        """Write a set's size with the annotations that record what it was sized for."""
        rs, before = step.replica_set, sets_of.replicas_of(step.replica_set)
        sizes = sets_of.size_annotations(scaling.desired_replicas(deployment), scaling.max_surge(deployment))
        if before == step.replicas and sizes.items() <= annotations(rs).items():
            return rs
        meta = {**rs["metadata"], "annotations": {**annotations(rs), **sizes}}
        changed = {**rs, "metadata": meta, "spec": {**rs["spec"], "replicas": step.replicas}}
        written = await self.client.update(REPLICA_SETS, changed)
        if before != step.replicas:
            way = "up" if step.replicas > before else "down"
            self.recorder.event(
                deployment,
                "Normal",
                "ScalingReplicaSet",
                f"Scaled {way} replica set {rs['metadata']['name']} from {before} to {step.replicas}",
            )
        return written

    async def _clean_up(self, deployment: Object, old: Sequence[Object]) -> None:
        for rs in sets_of.to_clean_up(deployment, old):
            meta = rs["metadata"]
            try:
                await self.client.delete(
                    REPLICA_SETS,
                    meta["name"],
                    meta["namespace"],
                    propagation_policy="Background",
                    preconditions={"uid": meta["uid"]},
                )
            except StatusError as error:
                if error.code != 404:
                    raise

    async def _write_rollout_status(
        self, deployment: Object, sets: Sequence[Object], new: Object | None
    ) -> float | None:
        status = statuses.rollout_status(deployment, sets, new, self.now())
        await self._write_status(deployment, status)
        return statuses.seconds_until_deadline(deployment, status, self.now())

    async def _write_status(self, deployment: Object, status: Object) -> None:
        if status != (deployment.get("status") or {}):
            await self._update_status(deployment, status)

    async def _update_status(self, deployment: Object, status: Object) -> Object:
        return await self.client.update(DEPLOYMENTS, {**deployment, "status": status}, subresource="status")
