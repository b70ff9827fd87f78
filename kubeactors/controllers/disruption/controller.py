"""The controller of PodDisruptionBudgets: counts their pods whenever one changes."""

from __future__ import annotations

from kubeactors.api.disruption import selects
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import registry
from kubeactors.api.meta import Object, controller_of, is_deleting, name, namespace
from kubeactors.api.printers.text import label_selector_text
from kubeactors.controllers.controller import Controller, Surroundings, by_controller, pod_informer
from kubeactors.controllers.disruption.status import (
    aim,
    budget_status,
    failed_status,
    needs_scale,
    recheck,
    still_disrupted,
)


class NoScale(Exception):
    """A pod's controller does not say how many of its pods it wants."""


class DisruptionController(Controller):
    name = "disruption"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        informers = around.informers
        self._budgets = informers.informer("poddisruptionbudgets.policy")
        self._pods = pod_informer(informers)
        self._sets = informers.informer("replicasets.apps", indexers={"controller": by_controller})
        self._deployments = informers.informer("deployments.apps")
        self._budgets.add_handler(self.enqueue, lambda _, new: self.enqueue(new))
        self._pods.add_handler(self._pod_changed, self._pod_updated, self._pod_changed)

    def _pod_updated(self, old: Object, new: Object) -> None:
        self._pod_changed(old)
        self._pod_changed(new)

    def _pod_changed(self, pod: Object) -> None:
        for budget in self._budgets.lister.list(namespace(pod)):
            if selects(budget, pod):
                self.enqueue(budget)

    async def reconcile(self, key: str) -> float | None:
        budget = self._budgets.lister.get_by_key(key)
        if budget is None or is_deleting(budget):
            return None
        now = self.now()
        pods = [pod for pod in self._pods.lister.list(namespace(budget)) if selects(budget, pod)]
        if not pods:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        scaled = needs_scale(budget)
        if scaled and any(controller_of(pod) is None for pod in pods):
            # They count among the healthy ones only. An error would be tried again for ever.
            self.recorder.event(budget, "Warning", "UnmanagedPods", _unmanaged_text(budget))
        try:
            scale = await self._scale(pods) if scaled else 0
        except NoScale as error:
            message = f"Failed to calculate the number of expected pods: {error}"
            self.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
            await self._write(budget, failed_status(budget, str(error), now))
            raise
        await self._write(budget, budget_status(budget, pods, aim(budget, len(pods), scale), now))
        return recheck(still_disrupted(budget, pods, now), now)

    async def _write(self, budget: Object, status: Object) -> None:
        if status == budget.get("status"):
            return
        try:
            await self.client.update("poddisruptionbudgets.policy", {**budget, "status": status}, subresource="status")
        except StatusError as error:
            if error.code != 404:
                raise

    async def _scale(self, pods: list[Object]) -> int:
        """How many pods the controllers of these want together. Raises NoScale and StatusError."""
        wanted: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                continue
            if owner["uid"] not in wanted:
                uid, replicas = await self._wanted(pod, owner)
                wanted[owner["uid"]] = 0  # counted under its own controller, if it has one
                wanted[uid] = replicas
        return sum(wanted.values())

    async def _wanted(self, pod: Object, owner: Object) -> tuple[str, int]:
        """The uid of what scales the owner's pods, and to how many."""
        place = namespace(pod)
        found: Object | None = None
        if owner["kind"] == "ReplicaSet":
            found = self._sets.lister.get(place, owner["name"])
            above = controller_of(found) if found is not None else None
            if above is not None and above["kind"] == "Deployment":
                found = self._deployments.lister.get(place, above["name"])
        else:
            kind = registry.by_gvk(owner["apiVersion"], owner["kind"])
            if kind is not None and kind.subresource("scale") is not None:
                found = await self._scale_of(kind.qualified_resource, owner["name"], place)
        if found is None:
            raise NoScale(f'found no controllers for pod "{name(pod)}"')
        return found["metadata"]["uid"], int((found.get("spec") or {}).get("replicas") or 0)

    async def _scale_of(self, resource: str, name: str, place: str) -> Object | None:
        try:
            return await self.client.get(resource, name, place, subresource="scale")
        except StatusError as error:
            if error.code == 404:
                return None
            raise


def _unmanaged_text(budget: Object) -> str:
    selector = label_selector_text(budget["spec"].get("selector") or {})
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, "
        "the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
        'these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    )
