"""get and list."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from kubeactors.api import errors
from kubeactors.apiserver.long_document import LONG, LongDocument
from kubeactors.apiserver.options import check_list, parse_version
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.paging import decode_continue, encode_continue, expired_continue
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.selectors import check_selectors, matcher_for
from kubeactors.apiserver.registry.versions import Freshness, too_large_version
from kubeactors.apiserver.request import Form, ListItems, Request, Response
from kubeactors.apiserver.storage.transactions import Transactions
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.apiserver.watchcache.matcher import NO_FIELDS, Matcher
from kubeactors.apiserver.watchcache.record import Record
from kubeactors.store.errors import Compacted, FutureRevision

# How many keys are read from the store at a time while a selector thins them out.
_STORE_PAGE = 1000
_MAX_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class Page:
    """Items of a list. `last` is the last key below the resource's prefix if there is more, else empty. `records` are
    those of the items, if they came from the cache."""

    items: list[bytes]
    version: int
    last: str = ""
    remaining: int | None = None
    records: Sequence[Record] = ()

    def token(self, request: Request) -> str:
        """The continue token behind this page; empty after the last one."""
        return encode_continue(_below(self.last, request.namespace), self.version) if self.last else ""


class Reader:
    """Serves reads from the caches; from the store only what lies in the past."""

    def __init__(self, feed: Feed, freshness: Freshness, transactions: Transactions, clock: forms.Clock) -> None:
        self._feed = feed
        self._freshness = freshness
        self._transactions = transactions
        self._clock = clock

    async def get(self, resource: Resource, request: Request) -> Response:
        item = await self.item(resource, request.namespace, request.name, request.options.resource_version)
        if request.form is Form.OBJECT:
            return Response(200, resource.whole(item))
        return Response(200, forms.render_one(resource, item, request, self._clock))

    async def item(self, resource: Resource, namespace: str, name: str, version: str = "") -> bytes:
        """One object's item bytes, as fresh as `version` demands. Raises StatusError: 404."""
        if not version:
            lagging = await self._freshness.latest()
            if lagging:
                kv = await self._transactions.get(resource.key(namespace, name))
                if kv is None:
                    raise errors.not_found(resource.kind.qualified_resource, name)
                return await resource.item(kv.value, kv.mod_revision)
        elif version != "0":
            await self._freshness.at_least(parse_version(version))
        record = resource.cache.get(namespace, name)
        if record is None:
            raise errors.not_found(resource.kind.qualified_resource, name)
        if resource.kind.custom:
            return (await resource.present([record.item]))[0]
        return record.item

    async def list(self, resource: Resource, request: Request) -> Response:
        return await self.answer(resource, request, await self.page(resource, request))

    async def answer(self, resource: Resource, request: Request, page: Page) -> Response:
        """A page in the form that the request asks for."""
        token = page.token(request)
        if request.items and request.form is not Form.TABLE:
            show = resource.whole if request.form is Form.OBJECT else partial(forms.partial, resource.kind)
            shown = [show(item) for item in page.items]
            return Response(200, items=ListItems(shown, str(page.version), token, page.remaining))
        if request.form is not Form.OBJECT:
            metadata = list_metadata(page.version, token, page.remaining)
            response = list_response(await self._rendered(resource, page, metadata, request))
            if request.items:
                response.items = ListItems([], str(page.version), token, page.remaining)
            return response
        return list_response(list_document(resource, page.items, page.version, token, page.remaining))

    async def _rendered(self, resource: Resource, page: Page, metadata: bytes, request: Request) -> LongDocument:
        records = page.records
        if records and any(record.item is not item for record, item in zip(records, page.items, strict=True)):
            records = ()  # shown in another version than the cache holds
        return await forms.render_list(resource, page.items, metadata, request, self._clock, records)

    async def in_namespace(self, resource: Resource, namespace: str) -> Sequence[bytes]:
        """The items of a namespace as they are now."""
        matcher = matcher_for(resource.kind, namespace, "", "", "")
        lagging = await self._freshness.latest()
        if lagging:
            return (await self._from_store(resource, matcher, lagging, 0, "")).items
        return [record.item for record in resource.cache.select(matcher)]

    async def page(self, resource: Resource, request: Request) -> Page:
        """What a list (or a deletecollection) with the request's options is about. Raises StatusError."""
        options = request.options
        if options.resource_version_match or options.send_initial_events is not None:
            check_selectors(options.label_selector, options.field_selector)
            check_list(options, watch=False)
        matcher = matcher_for(
            resource.kind, request.namespace, request.name, options.label_selector, options.field_selector
        )
        if resource.asks_webhook and not matcher.fields.empty:
            return await self._selected_converted(resource, request, matcher)
        page = await self._page(resource, request, matcher)
        if resource.kind.custom:
            page = dataclasses.replace(page, items=await resource.present(page.items))
        return page

    async def _selected_converted(self, resource: Resource, request: Request, matcher: Matcher) -> Page:
        """Fields are those of the version that was asked for: what is in scope is converted before it is selected."""
        options = dataclasses.replace(request.options, limit=0)
        everything = dataclasses.replace(matcher, fields=NO_FIELDS)
        page = await self._page(resource, dataclasses.replace(request, options=options), everything)
        records = [resource.record("", 0, item) for item in await resource.present(page.items)]
        found = [record.item for record in records if matcher.fields.matches(record.fields)]
        limit = 0 if request.options.resource_version == "0" else _limit(request.options.limit)
        if not limit or len(found) <= limit:
            return Page(found, page.version)
        metadata = orjson.loads(found[limit - 1])["metadata"]
        last = f"{metadata['namespace']}/{metadata['name']}" if resource.kind.namespaced else metadata["name"]
        return Page(found[:limit], page.version, last)

    async def _page(self, resource: Resource, request: Request, matcher: Matcher) -> Page:
        options = request.options
        limit = _limit(options.limit)
        selected = bool(options.label_selector or options.field_selector)
        if options.continue_:
            return await self._continued(resource, request, matcher, limit)
        version = parse_version(options.resource_version)
        match = options.resource_version_match
        if match == "Exact" or (version and limit and not match):
            return await self._exact(resource, matcher, version, limit)
        if options.resource_version == "":
            lagging = await self._freshness.latest()
            if lagging:
                return await self._from_store(resource, matcher, lagging, limit, "")
        elif version == 0:
            # The real server's cache ignores the limit here, and informers rely on getting everything at once.
            limit = 0
        else:
            await self._freshness.at_least(version)
        return self._from_cache(resource, matcher, limit, selected=selected)

    def _from_cache(self, resource: Resource, matcher: Matcher, limit: int, *, selected: bool) -> Page:
        """`selected`: the request has a selector, so what remains is not counted."""
        version = self._feed.revision
        if not limit:
            found = list(resource.cache.select(matcher))
            return Page([record.item for record in found], version, records=found)
        records: list[Record] = []
        scope = resource.cache.in_scope(matcher)
        for record in scope:
            if matcher.selects and not matcher.selected(record):
                continue
            records.append(record)
            if len(records) == limit:
                break
        items = [record.item for record in records]
        # As in Kubernetes there is more when any object follows, whether or not it would be selected.
        if len(items) < limit or next(scope, None) is None:
            return Page(items, version, records=records)
        path = f"{record.namespace}/{record.name}" if record.namespace else record.name
        remaining = None if selected else resource.cache.count(matcher.namespace) - limit
        return Page(items, version, path, remaining, records)

    async def _exact(self, resource: Resource, matcher: Matcher, version: int, limit: int) -> Page:
        if version > self._feed.revision:
            await self._freshness.at_least(version)
        try:
            return await self._from_store(resource, matcher, version, limit, "")
        except Compacted as error:
            raise errors.expired("The resourceVersion for the provided list is too old.") from error
        except FutureRevision as error:
            raise too_large_version(version, self._feed.revision) from error

    async def _continued(self, resource: Resource, request: Request, matcher: Matcher, limit: int) -> Page:
        options = request.options
        start, version = decode_continue(options.continue_)
        if options.resource_version not in ("", "0"):
            raise errors.bad_request("specifying resource version is not allowed when using continue")
        try:
            below = f"{request.namespace}/{start}" if request.namespace else start
            at = max(version, 0)
            if options.resource_version == "0":
                limit = 0  # as in a first page from the cache
            if at > self._feed.revision:
                await self._freshness.at_least(at)
            return await self._from_store(resource, matcher, at, limit, below)
        except Compacted as error:
            raise expired_continue(start) from error
        except FutureRevision as error:
            raise too_large_version(version, self._feed.revision) from error

    async def _from_store(self, resource: Resource, matcher: Matcher, version: int, limit: int, start: str) -> Page:
        """A page at a version (0: the present) from a key on, which is given below the resource's prefix."""
        prefix = resource.prefix.encode()
        end = prefix
        if matcher.namespace and resource.kind.namespaced:
            end = prefix + matcher.namespace.encode() + b"/"
        key = prefix + start.encode() if start else end
        narrow = matcher.selects or bool(matcher.name)
        items: list[bytes] = []
        while True:
            ask = max(limit, _STORE_PAGE) if narrow and limit else limit
            result = await self._transactions.page(key, end, limit=ask, revision=version)
            version = version or result.revision
            for index, kv in enumerate(result.kvs):
                path = kv.key[len(prefix) :].decode()
                item = await resource.item(kv.value, kv.mod_revision)
                if narrow and not matcher.matches(resource.record(path, kv.mod_revision, item)):
                    continue
                items.append(item)
                if limit and len(items) == limit and (result.more or index + 1 < len(result.kvs)):
                    remaining = None if narrow else result.count - len(result.kvs)
                    return Page(items, version, path, remaining)
            if not result.more or not result.kvs:
                return Page(items, version)
            key = result.kvs[-1].key + b"\0"


def _limit(asked: int) -> int:
    """How many items a page may have; 0: all. No list is longer than the bound."""
    return min(max(asked, 0), _MAX_LIMIT)


def _below(path: str, namespace: str) -> str:
    """A path below the resource's prefix, told below the list's own prefix."""
    return path.removeprefix(namespace + "/") if namespace else path


def list_metadata(version: int, token: str = "", remaining: int | None = None) -> bytes:
    """ListMeta as JSON."""
    metadata: dict[str, object] = {"resourceVersion": str(version)}
    if token:
        metadata["continue"] = token
        if remaining is not None:
            metadata["remainingItemCount"] = remaining
    return orjson.dumps(metadata)


def list_document(
    resource: Resource, items: Sequence[bytes], version: int, token: str, remaining: int | None
) -> LongDocument:
    """A list document; the items are only put in a row."""
    metadata = list_metadata(version, token, remaining)
    if resource.converts:
        items = [resource.listed(item) for item in items]
    if resource.kind.custom and not token:
        # Lists of custom resources always have the field.
        metadata = b'{"continue":"",' + metadata[1:]
    return LongDocument(b'%b"metadata":%b,"items":[' % (resource.list_head, metadata), items, b"]}\n")


def list_response(document: LongDocument) -> Response:
    """The answer to a list."""
    return Response(200, document=document) if document.size > LONG else Response(200, document.whole())
