"""The part of `Client` for everyday tasks that take more than one verb, or a patch that is long to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kubeactors.client.arguments import PropagationPolicy
from kubeactors.client.async_tasks import Objects
from kubeactors.client.resource import ResourceLike
from kubeactors.client.results import Object
from kubeactors.client.sync_bridge import SyncBridge


class SyncTasks(SyncBridge):
    """Base of `Client`."""

    def apply_all(
        self,
        objs: Iterable[Object],
        *,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Objects:
        """See `AsyncClient.apply_all`."""
        return self._run(
            self._async.apply_all(objs, field_manager=field_manager, force=force, dry_run=dry_run, timeout=timeout)
        )

    def delete_all(
        self,
        objs: Iterable[Object],
        *,
        propagation_policy: PropagationPolicy | None = None,
        timeout: float | None = None,
    ) -> None:
        """See `AsyncClient.delete_all`."""
        return self._run(self._async.delete_all(objs, propagation_policy=propagation_policy, timeout=timeout))

    def modify(
        self,
        resource: ResourceLike,
        name: str,
        change: Callable[[Object], None],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.modify`. `change` runs on the client"s thread."""
        return self._run(
            self._async.modify(resource, name, change, namespace, subresource=subresource, timeout=timeout)
        )

    def create_or_update(self, resource: ResourceLike, obj: Object, *, timeout: float | None = None) -> Object:
        """See `AsyncClient.create_or_update`."""
        return self._run(self._async.create_or_update(resource, obj, timeout=timeout))

    def label(
        self, resource: ResourceLike, name: str, labels: Mapping[str, str | None], namespace: str | None = None
    ) -> Object:
        """See `AsyncClient.label`."""
        return self._run(self._async.label(resource, name, labels, namespace))

    def annotate(
        self, resource: ResourceLike, name: str, annotations: Mapping[str, str | None], namespace: str | None = None
    ) -> Object:
        """See `AsyncClient.annotate`."""
        return self._run(self._async.annotate(resource, name, annotations, namespace))

    def scale(self, resource: ResourceLike, name: str, replicas: int, namespace: str | None = None) -> Object:
        """See `AsyncClient.scale`."""
        return self._run(self._async.scale(resource, name, replicas, namespace))

    def restart(self, resource: ResourceLike, name: str, namespace: str | None = None) -> Object:
        """See `AsyncClient.restart`."""
        return self._run(self._async.restart(resource, name, namespace))

    def undo(
        self, resource: ResourceLike, name: str, namespace: str | None = None, *, to_revision: int | None = None
    ) -> Object:
        """See `AsyncClient.undo`."""
        return self._run(self._async.undo(resource, name, namespace, to_revision=to_revision))

    def events(self, resource: ResourceLike, name: str, namespace: str | None = None) -> Objects:
        """See `AsyncClient.events`."""
        return self._run(self._async.events(resource, name, namespace))

    def evict(self, pod: str, namespace: str | None = None, *, grace_period_seconds: int | None = None) -> Object:
        """See `AsyncClient.evict`."""
        return self._run(self._async.evict(pod, namespace, grace_period_seconds=grace_period_seconds))
