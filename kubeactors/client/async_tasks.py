"""The part of `AsyncClient` for everyday tasks that take more than one verb, or a patch that is long to write."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from kubeactors.api import meta
from kubeactors.api.errors import AlreadyExists, Conflict, NotFound
from kubeactors.api.kinds import UnknownKindError
from kubeactors.client import rollback
from kubeactors.client.arguments import PropagationPolicy, name_of, one_name
from kubeactors.client.async_verbs import AsyncVerbs
from kubeactors.client.definitions import wait_served
from kubeactors.client.manifests import in_order
from kubeactors.client.resource import ResourceLike
from kubeactors.client.results import Object

MAX_TRIES = 10
Objects = list[Object]  # `list` is a method of the client


class AsyncTasks(AsyncVerbs):
    """Base of `AsyncClient`."""

    async def apply_all(
        self,
        objs: Iterable[Object],
        *,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Objects:
        """Applies objects (see `load_manifests`) in the order in which they need each other: namespaces and custom
        resource definitions first. Waits until a definition is served before its objects follow.

        Stops at the first that fails, whose error it raises; what was applied stays.
        """
        applied = []
        for obj in in_order(objs):
            done = await self.apply(obj, field_manager=field_manager, force=force, dry_run=dry_run, timeout=timeout)
            applied.append(done)
            if done.get("kind") == "CustomResourceDefinition" and not dry_run:
                await wait_served(self, done)
        return applied

    async def delete_all(
        self,
        objs: Iterable[Object],
        *,
        propagation_policy: PropagationPolicy | None = None,
        timeout: float | None = None,
    ) -> None:
        """Deletes objects in the opposite order of `apply_all`; those that are gone already are passed over."""
        for obj in reversed(in_order(objs)):
            metadata = obj["metadata"]
            # UnknownKindError: its definition is gone, and the object with it.
            with suppress(NotFound, UnknownKindError):
                await self.delete(
                    await self.resource_of(obj),
                    metadata["name"],
                    metadata.get("namespace"),
                    propagation_policy=propagation_policy,
                    timeout=timeout,
                )

    async def modify(
        self,
        resource: ResourceLike,
        name: str,
        change: Callable[[Object], None],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """Reads the object, has `change` edit it in place, and writes it; again from the start when somebody else wrote
        meanwhile. Writes nothing when nothing was changed. Raises Conflict when that goes on and on.
        """
        found, tries = await self.resource(resource), MAX_TRIES
        while True:
            current = await self.get(found, name, namespace, subresource=subresource, timeout=timeout)
            wanted = copy.deepcopy(current)
            change(wanted)
            if wanted == current:
                return current
            try:
                return await self.update(found, wanted, subresource=subresource, timeout=timeout)
            except Conflict:
                tries -= 1
                if not tries:
                    raise

    async def create_or_update(self, resource: ResourceLike, obj: Object, *, timeout: float | None = None) -> Object:
        """Creates `obj`, or makes the present object just as it (PUT): what others have set is lost.

        `apply`, which keeps that, is nearly always what you want; this is for objects that are yours as a whole.
        """
        found, place, tries = await self.resource(resource), obj["metadata"].get("namespace"), MAX_TRIES
        while True:
            try:
                return await self.create(found, obj, timeout=timeout)
            except AlreadyExists:
                pass
            try:
                current = await self.get(found, name_of(obj), place, timeout=timeout)
                metadata = {**obj["metadata"], "resourceVersion": meta.resource_version(current)}
                return await self.update(found, {**obj, "metadata": metadata}, timeout=timeout)
            except (Conflict, NotFound):
                tries -= 1
                if not tries:
                    raise

    async def label(
        self, resource: ResourceLike, name: str, labels: Mapping[str, str | None], namespace: str | None = None
    ) -> Object:
        """Sets labels; None removes one."""
        return await self.patch(resource, name, {"metadata": {"labels": dict(labels)}}, namespace)

    async def annotate(
        self, resource: ResourceLike, name: str, annotations: Mapping[str, str | None], namespace: str | None = None
    ) -> Object:
        """Sets annotations; None removes one."""
        return await self.patch(resource, name, {"metadata": {"annotations": dict(annotations)}}, namespace)

    async def scale(self, resource: ResourceLike, name: str, replicas: int, namespace: str | None = None) -> Object:
        """Sets the number of replicas, of anything that has the subresource scale. Returns the Scale."""
        patch = {"spec": {"replicas": replicas}}
        return await self.patch(resource, name, patch, namespace, subresource="scale")

    async def restart(self, resource: ResourceLike, name: str, namespace: str | None = None) -> Object:
        """Replaces a workload's pods, as its update strategy says, by `kubectl rollout restart`'s annotation.

        `wait(…, condition="rollout")` waits for the end.
        """
        stamp = {"kubectl.kubernetes.io/restartedAt": meta.now_rfc3339(datetime.now(UTC))}
        patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        return await self.patch(resource, name, patch, namespace)

    async def undo(
        self, resource: ResourceLike, name: str, namespace: str | None = None, *, to_revision: int | None = None
    ) -> Object:
        """Gives a Deployment, StatefulSet or DaemonSet an earlier revision's template, by default that of the one
        before the newest, as `kubectl rollout undo`. Returns it; `wait(…, condition="rollout")` waits for the end.

        Raises LookupError when there is no such revision, ValueError for other kinds and for a paused deployment.
        """
        found = await self.resource(resource)
        current = await self.get(found, name, namespace)
        place = meta.namespace(current)
        if found.kind == "Deployment":
            sets = await self.list("replicasets.apps", place)
            chosen = rollback.chosen(current, sets.items, rollback.replica_set_number, to_revision)
            operations = rollback.deployment_patch(current, chosen)
            return await self.patch(found, name, operations, place, patch_type="json") if operations else current
        if found.kind not in ("StatefulSet", "DaemonSet"):
            raise ValueError(f"a {found.kind} has no rollout")
        revisions = await self.list("controllerrevisions.apps", place)
        chosen = rollback.chosen(current, revisions.items, rollback.revision_number, to_revision)
        return await self.patch(found, name, chosen["data"], place, patch_type="strategic")

    async def events(self, resource: ResourceLike, name: str, namespace: str | None = None) -> Objects:
        """What was told of an object, the latest last, as `kubectl events --for`; of one that is gone, too."""
        found = await self.resource(resource)
        about = {"involvedObject.kind": found.kind, "involvedObject.name": one_name(name, found)}
        # Those of an object without a namespace lie in one that its reporter has chosen.
        place = (namespace or self.default_namespace) if found.namespaced else None
        events = await self.list("events", place, field_selector=about)
        return sorted(events, key=_told)

    async def evict(self, pod: str, namespace: str | None = None, *, grace_period_seconds: int | None = None) -> Object:
        """Deletes a pod if its disruption budgets allow it; StatusError 429 (TooManyRequests) says that they do not."""
        place = namespace or self.default_namespace
        eviction: Object = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": place},
        }
        if grace_period_seconds is not None:
            eviction["deleteOptions"] = {"gracePeriodSeconds": grace_period_seconds}
        return await self.create("pods", eviction, place, subresource="eviction", name=pod)


def _told(event: Object) -> datetime:
    """When an event was last told."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return meta.parse_time(meta.newest(times) or event["metadata"]["creationTimestamp"])
