"""Who owns whom: a graph by uid over the objects of all kinds, and what a change makes worth looking at. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubeactors.api.meta import Object, finalizers, is_deleting, owner_references
from kubeactors.client.resource import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True)
class Owner:
    """One owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str
    blocks: bool  # blockOwnerDeletion: the owner's foreground deletion waits for this object


@dataclass
class Item:
    """One object. `resource` is what the client calls it by."""

    uid: str
    resource: Resource
    api_version: str
    kind: str
    namespace: str
    name: str
    owners: tuple[Owner, ...] = ()
    deleting: bool = False
    orphaning: bool = False  # being deleted, its dependents to be left alone
    foreground: bool = False  # being deleted once its dependents are
    dependents: set[str] = field(default_factory=set)


def owners_of(obj: Object) -> tuple[Owner, ...]:
    return tuple(
        Owner(r.get("apiVersion", ""), r["kind"], r["name"], r["uid"], bool(r.get("blockOwnerDeletion")))
        for r in owner_references(obj)
    )


class Graph:
    """Methods that change it return the uids that should be looked at again."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        # Dependents of owners that have not been seen (yet).
        self._waiting: dict[str, set[str]] = {}

    def get(self, uid: str) -> Item | None:
        return self.items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        item = self.items.get(uid)
        held = item.dependents if item is not None else self._waiting.get(uid, set())
        return [self.items[d] for d in held if d in self.items]

    def blocking(self, uid: str) -> list[Item]:
        """Dependents that the owner's foreground deletion waits for."""
        return [d for d in self.dependents(uid) if any(o.uid == uid and o.blocks for o in d.owners)]

    def put(self, obj: Object, resource: Resource) -> Iterable[str]:
        """An object was added or changed."""
        meta = obj["metadata"]
        uid = meta["uid"]
        present = self.items.get(uid)
        look: dict[str, None] = {}
        if present is None:
            present = self.items[uid] = Item(
                uid,
                resource,
                obj.get("apiVersion", ""),
                obj.get("kind", ""),
                meta.get("namespace") or "",
                meta["name"],
            )
            present.dependents = self._waiting.pop(uid, set())
            # They were thought to have no owner: see whether this one really is it (its name and namespace may differ).
            look.update(dict.fromkeys(present.dependents))
        before, after = present.owners, owners_of(obj)
        present.owners = after
        look.update(dict.fromkeys(self._relink(present, before, after)))
        present.deleting = is_deleting(obj)
        held = finalizers(obj)
        orphaning = present.deleting and ORPHAN in held
        foreground = present.deleting and FOREGROUND in held
        if (orphaning and not present.orphaning) or (foreground and not present.foreground):
            look[uid] = None
        present.orphaning, present.foreground = orphaning, foreground
        if foreground:
            look.update(dict.fromkeys(present.dependents))
        if any(owner.uid not in self.items for owner in after):
            look[uid] = None
        return look

    def remove(self, uid: str) -> Iterable[str]:
        """An object is gone: its dependents may have to follow, its owners may be waiting for that."""
        item = self.items.pop(uid, None)
        if item is None:
            return ()
        look = set(item.dependents)
        if item.dependents:
            self._waiting[uid] = item.dependents
        look.update(self._relink(item, item.owners, ()))
        return look

    def _relink(self, item: Item, before: tuple[Owner, ...], after: tuple[Owner, ...]) -> list[str]:
        """Move the item among its owners' dependents; owners in foreground deletion that it no longer blocks."""
        look: list[str] = []
        old = {owner.uid: owner for owner in before}
        new = {owner.uid: owner for owner in after}
        for uid, owner in new.items():
            known = self.items.get(uid)
            if uid not in old:
                (known.dependents if known is not None else self._waiting.setdefault(uid, set())).add(item.uid)
                if known is None or known.deleting:
                    look.append(item.uid)
            elif old[uid].blocks and not owner.blocks and known is not None and known.foreground:
                look.append(uid)
        for uid in old.keys() - new.keys():
            known = self.items.get(uid)
            if known is not None:
                known.dependents.discard(item.uid)
                if known.foreground:
                    look.append(uid)
            elif uid in self._waiting:
                self._waiting[uid].discard(item.uid)
                if not self._waiting[uid]:
                    del self._waiting[uid]
        return look
