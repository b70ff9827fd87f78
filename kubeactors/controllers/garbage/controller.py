"""The garbage collector's deeds: deletes, orphans, and lifts the finalizers of foreground deletion."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, finalizers, is_deleting, owner_references
from kubeactors.client.arguments import PropagationPolicy
from kubeactors.client.informer import Informer
from kubeactors.client.resource import Resource
from kubeactors.controllers.controller import Controller, Surroundings
from kubeactors.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Item, Owner, owners_of
from kubeactors.controllers.served_kinds import ServedKind, served_kinds

logger = logging.getLogger(__name__)

# Kinds that own nothing and are owned by nothing, and that there are very many of.
IGNORED = frozenset(("events",))
UNKNOWN_KIND_RETRY_S = 30.0  # a custom kind may be defined later
ABSENT_CACHE = 500


@dataclass
class Classified:
    """An object's owners: there and staying; not there; going, but waiting for their dependents to go first."""

    solid: list[Owner] = field(default_factory=list)
    dangling: list[Owner] = field(default_factory=list)
    waiting: list[Owner] = field(default_factory=list)


class UnknownKind(Exception):
    """An owner of a kind that this cluster does not have: it cannot be told whether it exists."""


class GarbageCollector(Controller):
    """Keys are uids."""

    name = "garbage-collector"
    workers = 20

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.graph = Graph()
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._kinds = served_kinds(around.informers)
        for kind in self._kinds.all():
            if _is_collected(kind):
                self._watch(kind, around.informers.informer(kind.resource))
        self._kinds.listen(self._kind_changed)
        # Of custom kinds, which come and go.
        self._informers: dict[ServedKind, Informer] = {}
        self._moving: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        await super().stop()
        for task in self._moving:
            task.cancel()
        await asyncio.gather(*self._moving, *(informer.stop() for informer in self._informers.values()))

    def _kind_changed(self, kind: ServedKind, came: bool) -> None:
        if not _is_collected(kind):
            return
        task = asyncio.create_task(self._begin(kind) if came else self._end(kind), name=f"collect {kind.resource}")
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    async def _begin(self, kind: ServedKind) -> None:
        informer = self._informers[kind] = Informer(self.client, kind.resource)
        self._watch(kind, informer)
        await informer.start()

    async def _end(self, kind: ServedKind) -> None:
        """Its objects went with it. What they owned is left alone: nobody can tell whether they exist."""
        informer = self._informers.pop(kind, None)
        if informer is None:
            return
        await informer.stop()
        for obj in informer.lister.list():
            self._look(self.graph.remove(obj["metadata"]["uid"]))

    def _watch(self, kind: ServedKind, informer: Informer) -> None:
        put = partial(self._put, kind.resource)
        informer.add_handler(put, lambda _, new: put(new), self._removed)

    def _put(self, kind: Resource, obj: Object) -> None:
        typed = obj if "kind" in obj else {**obj, "apiVersion": kind.api_version, "kind": kind.kind}
        self._look(self.graph.put(typed, kind))

    def _removed(self, obj: Object) -> None:
        meta = obj["metadata"]
        # Seen to go: nobody needs to ask, and its kind may go too before anybody could.
        self._note_absent(meta.get("namespace") or "", meta["uid"])
        self._look(self.graph.remove(meta["uid"]))

    def _note_absent(self, namespace: str, uid: str) -> None:
        self._absent[namespace, uid] = None
        if len(self._absent) > ABSENT_CACHE:
            self._absent.popitem(last=False)

    def _look(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self.queue.add(uid)

    # Reconciling

    async def reconcile(self, key: str) -> float | None:
        item = self.graph.get(key)
        if item is None:
            return None
        if item.orphaning:
            await self._orphan_dependents(item)
            return None
        if item.foreground:
            await self._foreground(item)
            return None
        if item.deleting or not item.owners:
            return None
        try:
            found = await self._classify(item, item.owners)
            if not found.dangling and not found.waiting:
                return None
            latest = await self._latest(item)
            if latest is None or is_deleting(latest):
                return None
            found = await self._classify(item, owners_of(latest))
        except UnknownKind as error:
            logger.info("cannot tell whether %s %s has an owner: %s", item.resource, _place(item), error)
            return UNKNOWN_KIND_RETRY_S
        await self._act(item, latest, found)
        return None

    async def _act(self, item: Item, latest: Object, found: Classified) -> None:
        gone = {owner.uid for owner in (*found.dangling, *found.waiting)}
        if found.solid:
            if gone:
                await self._drop_owners(item, latest, gone)
            return
        if not gone:
            return
        policy: PropagationPolicy = "Background"
        if found.waiting and item.dependents:
            # Its owner waits for it, so it waits for its own dependents in turn.
            if any(dependent.foreground for dependent in self.graph.dependents(item.uid)):
                latest = await self._unblock(item, latest)  # perhaps a circle: nobody must wait for this one
            policy = "Foreground"
        elif ORPHAN in finalizers(latest):
            policy = "Orphan"
        elif FOREGROUND in finalizers(latest):
            policy = "Foreground"
        await self._delete(item, latest, policy)

    async def _foreground(self, item: Item) -> None:
        """Its dependents go first; then the finalizer that holds it is lifted."""
        blocking = self.graph.blocking(item.uid)
        if not blocking:
            await self._lift(item, FOREGROUND)
            return
        self._look(d.uid for d in blocking if not d.foreground)

    async def _orphan_dependents(self, item: Item) -> None:
        for dependent in self.graph.dependents(item.uid):
            latest = await self._latest(dependent)
            if latest is not None:
                await self._drop_owners(dependent, latest, {item.uid})
        await self._lift(item, ORPHAN)

    # Owners

    async def _classify(self, item: Item, owners: Iterable[Owner]) -> Classified:
        found = Classified()
        for owner in owners:
            known = self.graph.get(owner.uid)
            if known is not None:
                if known.namespace not in ("", item.namespace):
                    self._warn(item, owner)
                    found.dangling.append(owner)
                else:
                    (found.waiting if known.foreground else found.solid).append(owner)
                continue
            live = await self._live_owner(item, owner)
            if live is None:
                found.dangling.append(owner)
            elif is_deleting(live) and FOREGROUND in finalizers(live):
                found.waiting.append(owner)
            else:
                found.solid.append(owner)
        return found

    async def _live_owner(self, item: Item, owner: Owner) -> Object | None:
        """Ask the API server: the informer may be behind, or the owner of a kind that is not watched."""
        if (item.namespace, owner.uid) in self._absent or ("", owner.uid) in self._absent:
            return None
        served = self._kinds.find(owner.api_version, owner.kind)
        if served is None:
            raise UnknownKind(f"no kind {owner.kind} in {owner.api_version}")
        resource = served.resource
        if resource.namespaced and not item.namespace:
            # A mistake that waiting does not mend; Kubernetes leaves such objects alone.
            raise UnknownKind(f"a cluster-scoped object cannot have a {owner.kind} as owner")
        try:
            live = await self.client.get(resource, owner.name, item.namespace if resource.namespaced else None)
        except StatusError as error:
            if error.code != 404:
                raise
            live = None
        if live is None or live["metadata"]["uid"] != owner.uid:
            self._note_absent(item.namespace, owner.uid)
            return None
        return live

    def _warn(self, item: Item, owner: Owner) -> None:
        reference = {"apiVersion": item.api_version, "kind": item.kind, "metadata": _identity(item)}
        message = (
            f"ownerRef [{owner.api_version}/{owner.kind}, namespace: {item.namespace}, name: {owner.name}, "
            f'uid: {owner.uid}] does not exist in namespace "{item.namespace}"'
        )
        self.recorder.event(reference, "Warning", "OwnerRefInvalidNamespace", message)

    # Writing

    async def _latest(self, item: Item) -> Object | None:
        try:
            latest = await self.client.get(item.resource, item.name, item.namespace or None)
        except StatusError as error:
            if error.code == 404:
                return None
            raise
        return latest if latest["metadata"]["uid"] == item.uid else None

    async def _delete(self, item: Item, latest: Object, policy: PropagationPolicy) -> None:
        meta = latest["metadata"]
        try:
            await self.client.delete(
                item.resource,
                item.name,
                item.namespace or None,
                propagation_policy=policy,
                preconditions={"uid": item.uid, "resourceVersion": meta["resourceVersion"]},
            )
        except StatusError as error:
            if error.code != 404:
                raise

    async def _drop_owners(self, item: Item, latest: Object, gone: set[str]) -> None:
        kept = [reference for reference in owner_references(latest) if reference["uid"] not in gone]
        if len(kept) != len(owner_references(latest)):
            await self._patch(item, latest, {"ownerReferences": kept or None})

    async def _unblock(self, item: Item, latest: Object) -> Object:
        freed = [{**reference, "blockOwnerDeletion": False} for reference in owner_references(latest)]
        return await self._patch(item, latest, {"ownerReferences": freed}) or latest

    async def _lift(self, item: Item, finalizer: str) -> None:
        latest = await self._latest(item)
        if latest is not None and finalizer in finalizers(latest):
            left = [held for held in finalizers(latest) if held != finalizer]
            await self._patch(item, latest, {"finalizers": left or None})

    async def _patch(self, item: Item, latest: Object, meta: Object) -> Object | None:
        """Change metadata, unless the object has changed since it was read (then the caller's work is retried)."""
        found = latest["metadata"]
        patch = {"metadata": {"uid": found["uid"], "resourceVersion": found["resourceVersion"], **meta}}
        try:
            return await self.client.patch(item.resource, item.name, patch, item.namespace or None)
        except StatusError as error:
            if error.code == 404:
                return None
            raise


def _is_collected(kind: ServedKind) -> bool:
    return kind.resource.plural not in IGNORED and {"list", "watch", "delete"} <= kind.verbs


def _identity(item: Item) -> Object:
    return {"name": item.name, "namespace": item.namespace, "uid": item.uid}


def _place(item: Item) -> str:
    return f"{item.namespace}/{item.name}" if item.namespace else item.name
