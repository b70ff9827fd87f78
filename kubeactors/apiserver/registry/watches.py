"""watch: where a watch starts, and how its events look."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable
from functools import partial

import orjson

from kubeactors.api import errors
from kubeactors.apiserver.customresources.resource import CustomResource
from kubeactors.apiserver.customresources.watching import ConvertedWatch
from kubeactors.apiserver.options import check_list, parse_version
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.selectors import check_selectors, matcher_for
from kubeactors.apiserver.registry.versions import Freshness
from kubeactors.apiserver.request import JSON_LINES, Form, Request, Response, WatchEncoding
from kubeactors.apiserver.watchcache.cache import ResourceCache, WindowExceeded
from kubeactors.apiserver.watchcache.channels import Channel, ChannelKey, View
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.apiserver.watchcache.matcher import NO_FIELDS, Matcher
from kubeactors.apiserver.watchcache.record import Change, Record
from kubeactors.apiserver.watchcache.watcher import Start, Watcher

# The annotation of the bookmark that ends the initial events (KEP-3157).
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_unique = itertools.count()


class Watches:
    """Sets watches up. `min_timeout`: a watch without one of its own ends after this to twice this many seconds."""

    def __init__(self, feed: Feed, freshness: Freshness, clock: forms.Clock, min_timeout: float) -> None:
        self._feed = feed
        self._freshness = freshness
        self._clock = clock
        self._min_timeout = min_timeout

    async def watch(self, resource: Resource, request: Request) -> Response:
        if not isinstance(resource, CustomResource) or not resource.asks_webhook:
            return await self._watch(resource, request)
        fields = self._matcher(resource, request).fields
        inner = dataclasses.replace(request, form=Form.OBJECT, watch_encoding=JSON_LINES)
        stream = (await self._watch(resource, inner, pairs=not fields.empty)).watch
        assert stream is not None
        encoding, render = request.watch_encoding, self._rendering(resource, request)
        return Response(200, watch=ConvertedWatch(stream, resource, encoding, render, fields))

    def _matcher(self, resource: Resource, request: Request) -> Matcher:
        options = request.options
        return matcher_for(
            resource.kind, request.namespace, request.name, options.label_selector, options.field_selector
        )

    def _rendering(self, resource: Resource, request: Request) -> Callable[[bytes], bytes]:
        """What makes an item the object of an event in the form that the client asked for."""
        if request.form is Form.OBJECT:
            return resource.whole
        if request.form is Form.PARTIAL:
            return lambda item: forms.partial(resource.kind, item)
        columns = [True]

        def row(item: bytes) -> bytes:
            told, columns[0] = columns[0], False
            return forms.table_row(resource, resource.whole(item), request, self._clock, columns=told)

        return row

    async def _watch(self, resource: Resource, request: Request, *, pairs: bool = False) -> Response:
        """With `pairs` the events are of all that is in scope, whatever the field selector, and each has the state
        before beside the object, for who selects after a conversion."""
        options = request.options
        if options.resource_version_match or options.send_initial_events is not None:
            check_selectors(options.label_selector, options.field_selector)
            check_list(options, watch=True)
        matcher = self._matcher(resource, request)
        if pairs:
            matcher = dataclasses.replace(matcher, fields=NO_FIELDS)
        text = options.resource_version
        version = parse_version(text)
        initial = options.send_initial_events
        if initial is None:
            initial = not version
        try:
            if not text:
                lagging = await self._freshness.latest()
                if lagging:
                    await self._freshness.at_least(lagging)
            elif initial and version:
                await self._freshness.at_least(version)
        except errors.StatusError as error:
            # Once its options are read a watch tells what is wrong in an event, as that of a store does.
            return Response(200, watch=self._failed(resource, request, matcher, error))
        if not initial and not version:
            version = self._feed.revision
        view = _pairs(resource, request.watch_encoding) if pairs else self._view(resource, request)
        # A version yet to come: nothing is sent until it has passed.
        after = version if not initial and version > self._feed.revision else 0
        key = ChannelKey(matcher, view.key, view.encoding.name, after)
        first = _First(self._feed, resource.cache, matcher, view, resource)
        if initial:
            # Also for a client that did not ask for initial events by that name, as Kubernetes' defaults have it.
            closing = options.allow_watch_bookmarks

            def begin() -> Start:
                return first.present(self._bookmark(resource, request, end=True) if closing else None)
        else:

            def begin() -> Start:
                return first.changes(version, key)

        timeout = options.timeout_seconds or self._min_timeout * (1 + random.random())
        bookmark = (lambda: self._bookmark(resource, request)) if options.allow_watch_bookmarks else None
        watcher = Watcher(resource.cache, key, view, begin, timeout=timeout, bookmark=bookmark)
        return Response(200, watch=watcher)

    def _failed(self, resource: Resource, request: Request, matcher: Matcher, error: errors.StatusError) -> Watcher:
        view = self._view(resource, request)
        event = view.encoding.encode("ERROR", orjson.dumps(error.status))
        key = ChannelKey(matcher, view.key, view.encoding.name)
        begin = partial(Start, (event,), final=True)
        return Watcher(resource.cache, key, view, begin, timeout=self._min_timeout, bookmark=None)

    def _view(self, resource: Resource, request: Request) -> View:
        encoding = request.watch_encoding
        if request.form is Form.OBJECT:
            return View(
                resource.kind.api_version, lambda change, deleted: resource.whole(change.item(deleted)), encoding
            )
        if request.form is Form.PARTIAL:
            return View("partial", lambda change, deleted: forms.partial(resource.kind, change.item(deleted)), encoding)
        # The columns are told once, in a watch's first event, so two watches never share their Tables.
        columns = [True]

        def render(change: Change, deleted: bool) -> bytes:
            told, columns[0] = columns[0], False
            whole = resource.whole(change.item(deleted))
            return forms.table_row(resource, whole, request, self._clock, columns=told)

        return View(("table", next(_unique)), render, encoding)

    def _bookmark(self, resource: Resource, request: Request, *, end: bool = False) -> bytes:
        metadata: dict[str, object] = {"resourceVersion": str(self._feed.revision)}
        if end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        document = forms.bookmark(resource, metadata, request.form)
        return request.watch_encoding.encode("BOOKMARK", document)


def _pairs(resource: Resource, encoding: WatchEncoding) -> View:
    """Objects as they are stored, each with the state before."""

    def render(change: Change, deleted: bool) -> bytes:
        before = change.previous
        previous = b"null" if before is None else resource.whole(before.item)
        return b'{"object":%b,"previous":%b}' % (resource.whole(change.item(deleted)), previous)

    return View(("pairs", resource.kind.api_version), render, encoding)


class _First:
    """The events with which a watch begins."""

    def __init__(self, feed: Feed, cache: ResourceCache, matcher: Matcher, view: View, resource: Resource) -> None:
        self._feed = feed
        self._cache = cache
        self._matcher = matcher
        self._view = view
        self._resource = resource

    def present(self, end: bytes | None) -> Start:
        """ADDED for everything that there is. The state is taken now, the encoding is made as it is asked for."""
        records = list(self._cache.select(self._matcher))
        added = (self._added(record) for record in records)
        return Start(itertools.chain(added, [end]) if end is not None else added)

    def _added(self, record: Record) -> bytes:
        view = self._view
        if view.key == "partial":
            document = forms.partial(self._resource.kind, record.item)
        elif isinstance(view.key, tuple):
            document = view.render(Change(record.revision, record, None), False)
        else:
            document = self._resource.whole(record.item)
        return view.encoding.encode("ADDED", document)

    def changes(self, version: int, key: ChannelKey) -> Start:
        """What happened after a version. The encodings are shared with the watchers that saw it live."""
        try:
            later = self._cache.changes_after(version)
        except WindowExceeded as error:
            status = errors.expired(f"too old resource version: {version} ({error.oldest})").status
            return Start([self._view.encoding.encode("ERROR", orjson.dumps(status))], final=True)
        channel = Channel(key, self._view)
        return Start(
            [event for change in later if self._in_scope(change) and (event := channel.event(change)) is not None]
        )

    def _in_scope(self, change: Change) -> bool:
        subject, matcher = change.subject, self._matcher
        return (not matcher.namespace or subject.namespace == matcher.namespace) and (
            not matcher.name or subject.name == matcher.name
        )
