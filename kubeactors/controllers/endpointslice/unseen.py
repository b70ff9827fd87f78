"""Writes that the informer has not shown yet: to plan on its view would do them again."""

from __future__ import annotations

from collections.abc import Callable

from kubeactors.api.meta import Object, resource_version, uid

PATIENCE_S = 10.0  # after this the write was undone unseen: a gap in the watch


class UnseenWrites:
    """Per key (a Service) the newest written resourceVersion of each object. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._versions: dict[str, dict[str, tuple[int, float]]] = {}

    def wrote(self, key: str, obj: Object) -> None:
        self._versions.setdefault(key, {})[uid(obj)] = (int(resource_version(obj)), self._clock())

    def seen(self, key: str, obj: Object) -> bool:
        """The informer shows this state; whether that is exactly what was written here."""
        written = self._versions.get(key, {}).get(uid(obj))
        if written is None:
            return False
        version = int(resource_version(obj))
        if version >= written[0]:
            self.gone(key, obj)
        return version <= written[0]

    def gone(self, key: str, obj: Object) -> None:
        held = self._versions.get(key)
        if held is not None:
            held.pop(uid(obj), None)
            if not held:
                del self._versions[key]

    def any(self, key: str) -> bool:
        """Whether a write for this key is still to be seen."""
        now = self._clock()
        held = {u: w for u, w in self._versions.get(key, {}).items() if now - w[1] <= PATIENCE_S}
        if held:
            self._versions[key] = held
        else:
            self._versions.pop(key, None)
        return bool(held)

    def forget(self, key: str) -> None:
        self._versions.pop(key, None)
