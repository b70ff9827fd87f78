"""Which objects a controller's owner has: adopt matching orphans, release those that match no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, controller_of, controller_ref, is_deleting
from kubeactors.client import AsyncClient


@dataclass
class Claims:
    """The outcome for one owner: `owned` as they are, `adopt` and `release` still to be written."""

    owned: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def claims(owner: Object, candidates: Iterable[Object], matches: Callable[[Object], bool]) -> Claims:
    """Sort candidates of the owner's namespace. What another controls stays apart; what is ending is not adopted."""
    found = Claims()
    uid, deleting = owner["metadata"]["uid"], is_deleting(owner)
    for obj in candidates:
        reference = controller_of(obj)
        if reference is not None:
            if reference.get("uid") != uid:
                continue
            if matches(obj):
                found.owned.append(obj)
            elif not deleting:
                found.release.append(obj)
        elif not deleting and not is_deleting(obj) and matches(obj):
            found.adopt.append(obj)
    return found


async def settle(
    client: AsyncClient,
    resource: str,
    owner_resource: str,
    owner: Object,
    owner_type: tuple[str, str],
    found: Claims,
    keep: Callable[[Object], bool] = lambda _: True,
) -> list[Object]:
    """Write the adoptions and releases; returns what the owner has then, of those that `keep` says count.

    `owner_type` is (apiVersion, kind). Before the first adoption the owner is read afresh: a cache may not know
    that it was deleted and made anew, and its children must not come to belong to a ghost.
    """
    owned = list(found.owned)
    for obj in found.release:
        await _release(client, resource, obj, owner["metadata"]["uid"])
    if found.adopt:
        meta = owner["metadata"]
        fresh = await client.get(owner_resource, meta["name"], meta.get("namespace"))
        if fresh["metadata"]["uid"] != meta["uid"] or is_deleting(fresh):
            return [obj for obj in owned if keep(obj)]
        reference = controller_ref(owner, *owner_type)
        for obj in found.adopt:
            adopted = await _adopt(client, resource, obj, reference)
            if adopted is not None:
                owned.append(adopted)
    return [obj for obj in owned if keep(obj)]


async def _adopt(client: AsyncClient, resource: str, obj: Object, reference: Object) -> Object | None:
    meta = obj["metadata"]
    patch = {"metadata": {"uid": meta["uid"], "ownerReferences": [reference]}}
    try:
        return await client.patch(resource, meta["name"], patch, meta.get("namespace"), patch_type="strategic")
    except StatusError as error:
        if error.code == 404:
            return None  # gone meanwhile
        raise


async def _release(client: AsyncClient, resource: str, obj: Object, uid: str) -> None:
    meta = obj["metadata"]
    patch = {"metadata": {"uid": meta["uid"], "ownerReferences": [{"$patch": "delete", "uid": uid}]}}
    try:
        await client.patch(resource, meta["name"], patch, meta.get("namespace"), patch_type="strategic")
    except StatusError as error:
        # 404: gone; 422: another object of that name, or it has no owner already.
        if error.code not in (404, 422):
            raise
