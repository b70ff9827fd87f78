"""The part of `Client` that reads, writes, watches and waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kubeactors.client.arguments import FieldValidation, PatchType, PropagationPolicy, Selector, VersionMatch
from kubeactors.client.async_verbs import Served
from kubeactors.client.resource import Resource, ResourceLike
from kubeactors.client.results import Object, ObjectList, WatchEvent
from kubeactors.client.sync_bridge import SyncBridge, SyncIterator


class SyncVerbs(SyncBridge):
    """Base of `Client`."""

    def resource(self, name: ResourceLike) -> Resource:
        """See `AsyncClient.resource`."""
        return self._run(self._async.resource(name))

    def resource_of(self, obj: Object) -> Resource:
        """See `AsyncClient.resource_of`."""
        return self._run(self._async.resource_of(obj))

    def resources(self) -> Served:
        """See `AsyncClient.resources`."""
        return self._run(self._async.resources())

    def get(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        resource_version: str | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.get`."""
        return self._run(
            self._async.get(
                resource, name, namespace, subresource=subresource, resource_version=resource_version, timeout=timeout
            )
        )

    def list(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        limit: int | None = None,
        continue_: str | None = None,
        resource_version: str | None = None,
        resource_version_match: VersionMatch | None = None,
        timeout: float | None = None,
    ) -> ObjectList:
        """See `AsyncClient.list`."""
        return self._run(
            self._async.list(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=limit,
                continue_=continue_,
                resource_version=resource_version,
                resource_version_match=resource_version_match,
                timeout=timeout,
            )
        )

    def iterate(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        page_size: int = 500,
        timeout: float | None = None,
    ) -> SyncIterator[Object]:
        """See `AsyncClient.iterate`."""
        return SyncIterator(
            self._loop,
            self._async.iterate(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                page_size=page_size,
                timeout=timeout,
            ),
        )

    def watch(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        name: str | None = None,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        resource_version: str | None = None,
        bookmarks: bool = False,
        timeout_seconds: int | None = None,
    ) -> SyncIterator[WatchEvent]:
        """See `AsyncClient.watch`."""
        return SyncIterator(
            self._loop,
            self._async.watch(
                resource,
                namespace,
                name=name,
                label_selector=label_selector,
                field_selector=field_selector,
                resource_version=resource_version,
                bookmarks=bookmarks,
                timeout_seconds=timeout_seconds,
            ),
        )

    def create(
        self,
        resource: ResourceLike,
        obj: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        name: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.create`."""
        return self._run(
            self._async.create(
                resource,
                obj,
                namespace,
                subresource=subresource,
                name=name,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def update(
        self,
        resource: ResourceLike,
        obj: Object,
        *,
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.update`."""
        return self._run(
            self._async.update(
                resource,
                obj,
                subresource=subresource,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def patch(
        self,
        resource: ResourceLike,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str | None = None,
        *,
        patch_type: PatchType = "merge",
        subresource: str | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.patch`."""
        return self._run(
            self._async.patch(
                resource,
                name,
                patch,
                namespace,
                patch_type=patch_type,
                subresource=subresource,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def apply(
        self,
        obj: Object,
        *,
        field_manager: str | None = None,
        force: bool = False,
        subresource: str | None = None,
        resource: ResourceLike | None = None,
        dry_run: bool = False,
        field_validation: FieldValidation | None = None,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.apply`."""
        return self._run(
            self._async.apply(
                obj,
                field_manager=field_manager,
                force=force,
                subresource=subresource,
                resource=resource,
                dry_run=dry_run,
                field_validation=field_validation,
                timeout=timeout,
            )
        )

    def delete(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: PropagationPolicy | None = None,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.delete`."""
        return self._run(
            self._async.delete(
                resource,
                name,
                namespace,
                grace_period_seconds=grace_period_seconds,
                propagation_policy=propagation_policy,
                preconditions=preconditions,
                dry_run=dry_run,
                timeout=timeout,
            )
        )

    def delete_collection(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: Selector | None = None,
        field_selector: Selector | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: PropagationPolicy | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Object:
        """See `AsyncClient.delete_collection`."""
        return self._run(
            self._async.delete_collection(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                grace_period_seconds=grace_period_seconds,
                propagation_policy=propagation_policy,
                dry_run=dry_run,
                timeout=timeout,
            )
        )

    def wait(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        condition: Callable[[Object | None], bool] | str,
        timeout: float,
    ) -> Object | None:
        """See `AsyncClient.wait`. A predicate runs on the client"s thread."""
        return self._run(self._async.wait(resource, name, namespace, condition=condition, timeout=timeout))
