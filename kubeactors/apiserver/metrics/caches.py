"""What the watch caches hold and send, read from them when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable

from kubeactors.apiserver.metrics.families import Counter, Family, Gauge
from kubeactors.apiserver.registry.resource import Resource

_RESOURCE = ("group", "resource")


def cache_families(resources: Iterable[Resource], revision: int) -> list[Family]:
    """Metrics of the resources' caches; `revision` is the store's revision that all of them reflect."""
    objects = Gauge(
        "apiserver_resource_objects",
        "Number of stored objects at the time of last check split by kind.",
        _RESOURCE,
    )
    storage = Gauge(
        "apiserver_storage_objects",
        "[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects at the time of last "
        "check split by kind. In case of a fetching error, the value will be -1.",
        ("resource",),
        stability="STABLE",
    )
    version = Gauge(
        "apiserver_watch_cache_resource_version",
        "Current resource version of watch cache broken by resource type.",
        _RESOURCE,
    )
    capacity = Gauge("watch_cache_capacity", "Total capacity of watch cache broken by resource type.", _RESOURCE)
    received = Counter(
        "apiserver_watch_cache_events_received_total",
        "Counter of events received in watch cache broken by resource type.",
        _RESOURCE,
    )
    dispatched = Counter(
        "apiserver_watch_cache_events_dispatched_total",
        "Counter of events dispatched in watch cache broken by resource type.",
        _RESOURCE,
    )
    sent = Counter(
        "apiserver_watch_events_total", "Number of events sent in watch clients", ("group", "version", "resource")
    )
    closed = Counter(
        "apiserver_terminated_watchers_total",
        "Counter of watchers closed due to unresponsiveness broken by resource type.",
        _RESOURCE,
    )
    seen: set[str] = set()
    for resource in resources:
        if resource.prefix in seen:
            continue  # another version of a kind that was told already
        seen.add(resource.prefix)
        kind, cache = resource.kind, resource.cache
        labels = (kind.group, kind.plural)
        objects.child(*labels).value = len(cache)
        storage.child(kind.qualified_resource).value = len(cache)
        version.child(*labels).value = revision
        capacity.child(*labels).value = cache.window_capacity
        received.child(*labels).value = cache.received
        dispatched.child(*labels).value = cache.received
        if cache.channels.sent:
            sent.child(kind.group, kind.version, kind.plural).value = cache.channels.sent
        if cache.channels.terminated:
            closed.child(*labels).value = cache.channels.terminated
    return [objects, storage, version, capacity, received, dispatched, sent, closed]
