"""Conditional writes of one resource's objects: create, guaranteed update, delete."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.registry import hooks
from kubeactors.apiserver.registry.hooks import Hook
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.storage.encoding import stored_of, to_item
from kubeactors.apiserver.storage.transactions import Committed, Transactions
from kubeactors.apiserver.watchcache.feed import Feed
from kubeactors.store.client import ops

logger = logging.getLogger(__name__)

# A write that loses this often against others gives up; each loss means that another one won.
_MAX_ATTEMPTS = 256
# Seconds to wait for the cache to show who won.
_WAIT = 3.0


@dataclass(frozen=True, slots=True)
class State:
    """An object as the store has it. `revision` 0 and `obj` None: there is none."""

    obj: Object | None
    revision: int
    item: bytes = b""


class Gone(Exception):
    """Raised by a change: delete the object instead of writing it. `obj` is what to answer."""

    def __init__(self, obj: Object) -> None:
        super().__init__("to be deleted")
        self.obj = obj


# From the present state to the object to be written. May raise StatusError, or Gone. Called again after a conflict,
# always with a fresh state that it may change.
Change = Callable[[State], Awaitable[Object]]


class Objects:
    """`leases` gives the store lease for what is written under a key prefix, 0 for none."""

    def __init__(self, feed: Feed, transactions: Transactions, leases: Callable[[str], Awaitable[int]]) -> None:
        self._feed = feed
        self._transactions = transactions
        self._leases = leases
        self._hooks: dict[str, Hook] = {}

    def add_hook(self, prefix: str, hook: Hook) -> None:
        """Let the hook take part in all writes of the resource with this key prefix."""
        self._hooks[prefix] = hook

    def hook(self, resource: Resource) -> Hook | None:
        return self._hooks.get(resource.prefix)

    # --- reading for a write

    async def cached(self, resource: Resource, namespace: str, name: str) -> State | None:
        """The state as the cache has it, which may be old; None if the cache has none."""
        record = resource.cache.get(namespace, name)
        if record is None:
            return None
        item = record.item
        if resource.kind.custom:
            item = (await resource.present([item]))[0]
        return State(resource.decode(item), record.revision, item)

    async def present(self, resource: Resource, namespace: str, name: str) -> State:
        """The state in the store, now."""
        kv = await self._transactions.get(resource.key(namespace, name))
        return State(None, 0) if kv is None else await self._state(resource, kv.value, kv.mod_revision)

    @staticmethod
    async def _state(resource: Resource, stored: bytes, revision: int) -> State:
        item = await resource.item(stored, revision)
        return State(resource.decode(item), revision, item)

    # --- writing

    async def create(
        self, resource: Resource, namespace: str, name: str, make: Callable[[], Awaitable[Object]], *, dry_run: bool
    ) -> bytes:
        """Write a new object; gives its item bytes (of a dry run: without a version).

        Raises StatusError (409) if there is one of that name.

        `make` gives the object to write. Where the resource has a hook it allocates, and is asked again when another
        writer was faster in taking the same thing.
        """
        hook = self.hook(resource)
        key = resource.key(namespace, name)
        for _ in range(_MAX_ATTEMPTS):
            new = await make()
            if dry_run:
                if (await self.present(resource, namespace, name)).obj is not None:
                    raise errors.already_exists(resource.kind.qualified_resource, name)
                return resource.form(new)
            claims = hook.claims(new, None) if hook is not None else None
            stored = await resource.stored(resource.form(new))
            lease = await self._leases(resource.prefix)
            compare, success = hooks.join(ops.mod_revision(key, "=", 0), ops.put(key, stored, lease=lease), claims)
            committed = await self._transactions.write(compare, success, key)
            if committed.ok:
                return await resource.item(stored, committed.revision)
            if committed.current is not None:
                raise await self._exists(resource, name, committed)
            await self._feed.wait_for(committed.revision, _WAIT)
        raise errors.conflict(resource.kind.qualified_resource, name)

    async def _exists(self, resource: Resource, name: str, committed: Committed) -> StatusError:
        error = errors.already_exists(resource.kind.qualified_resource, name)
        assert committed.current is not None
        current = await self._state(resource, committed.current.value, committed.current.mod_revision)
        if current.obj is not None and current.obj["metadata"].get("deletionTimestamp"):
            error.status["message"] = f"object is being deleted: {error.status['message']}"
        return error

    async def update(
        self, resource: Resource, namespace: str, name: str, change: Change, *, dry_run: bool
    ) -> tuple[bytes, bool]:
        """Bring an object from its present state to what `change` makes of it; (item bytes, whether it was created).

        Begins with the cache's copy, which may be old: what `change` refuses on an old copy it is asked again on the
        present one. A change that changes nothing is not written.
        """
        key = resource.key(namespace, name)
        hook = self.hook(resource)
        state = await self.cached(resource, namespace, name)
        live = state is None
        if state is None:
            state = await self.present(resource, namespace, name)
        for _ in range(_MAX_ATTEMPTS):
            try:
                new = await change(state)
            except Gone as gone:
                if not live:
                    state, live = await self.present(resource, namespace, name), True
                    continue
                if dry_run or await self.delete(resource, namespace, name, state) is not None:
                    return to_item(resource.form(gone.obj), state.revision), False
                state, live = await self.present(resource, namespace, name), True
                continue
            except StatusError:
                if live:
                    raise
                state, live = await self.present(resource, namespace, name), True
                continue
            form = resource.form(new)
            if state.revision and same(form, state.item):
                if live or dry_run:
                    return state.item, False
                state, live = await self.present(resource, namespace, name), True
                continue
            if dry_run:
                return (to_item(form, state.revision), False) if state.revision else (form, True)
            old = orjson.loads(state.item) if state.item and hook is not None else None
            claims = hook.claims(new, old) if hook is not None else None
            stored = await resource.stored(form)
            lease = await self._leases(resource.prefix)
            compare, success = hooks.join(
                ops.mod_revision(key, "=", state.revision), ops.put(key, stored, lease=lease), claims
            )
            committed = await self._transactions.write(compare, success, key)
            if committed.ok:
                return await resource.item(stored, committed.revision), state.revision == 0
            if hook is not None:
                await self._feed.wait_for(committed.revision, _WAIT)
            current = committed.current
            if current is None:
                state = State(None, 0)
            else:
                state = await self._state(resource, current.value, current.mod_revision)
            live = True
        raise errors.conflict(resource.kind.qualified_resource, name)

    async def replace(self, resource: Resource, namespace: str, name: str, state: State, form: bytes) -> State | None:
        """Write a form if the object is still in this state; the new state, or None."""
        key = resource.key(namespace, name)
        compare = [ops.mod_revision(key, "=", state.revision)]
        stored = await resource.stored(form)
        lease = await self._leases(resource.prefix)
        committed = await self._transactions.write(compare, [ops.put(key, stored, lease=lease)], key)
        return await self._state(resource, stored, committed.revision) if committed.ok else None

    async def delete(self, resource: Resource, namespace: str, name: str, state: State) -> int | None:
        """Delete the object if it is still in this state; the revision of the deletion, or None."""
        key = resource.key(namespace, name)
        hook = self.hook(resource)
        claims = hook.claims(None, orjson.loads(state.item)) if hook is not None else None
        compare, success = hooks.join(ops.mod_revision(key, "=", state.revision), ops.delete(key), claims)
        committed = await self._transactions.write(compare, success, key)
        return committed.revision if committed.ok else None


def same(stored: bytes, item: bytes) -> bool:
    """Whether the stored form says the same as an item. Without spaces, equal data have equal lengths in any order."""
    old = stored_of(item)
    return stored == old or (len(stored) == len(old) and bool(orjson.loads(stored) == orjson.loads(old)))
