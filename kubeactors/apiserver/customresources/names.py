"""Names are granted to one definition of a group at a time, although every API server grants them."""

from __future__ import annotations

from kubeactors.api.meta import Object
from kubeactors.apiserver.registry.hooks import Claims
from kubeactors.apiserver.storage.encoding import to_stored
from kubeactors.apiserver.watchcache.cache import ResourceCache
from kubeactors.store.client import ops

#: Below this, one key for each group is rewritten whenever names are granted in it.
PREFIX = "/registry/kubeactors/granted-names/"


class NameClaims:
    """Implements `registry.hooks.Hook` for definitions: what was decided on older grants is not written.

    `grants` is the cache below PREFIX, fed together with that of the definitions, so both show the same moment.
    """

    def __init__(self, grants: ResourceCache) -> None:
        self._grants = grants
        self._decided: dict[str, tuple[str, int]] = {}

    def decide(self, name: str, group: str) -> None:
        """Note that names for a definition are about to be decided on what the caches show now."""
        record = self._grants.get("", group)
        self._decided[name] = (group, record.revision if record is not None else 0)

    async def allocate(self, new: Object, old: Object | None, *, dry_run: bool) -> None:
        return

    def claims(self, new: Object | None, old: Object | None) -> Claims:
        if new is None or old is None:
            if new is None and old is not None:
                self._decided.pop(old["metadata"]["name"], None)
            return Claims()
        decided = self._decided.get(new["metadata"]["name"])
        if decided is None or _granted(new) == _granted(old):
            return Claims()
        group, revision = decided
        key = f"{PREFIX}{group}".encode()
        stored = to_stored({"metadata": {"name": group}})
        return Claims([ops.mod_revision(key, "=", revision)], [ops.put(key, stored)])


def _granted(crd: Object) -> object:
    return (crd.get("status") or {}).get("acceptedNames")
