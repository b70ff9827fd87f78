"""The kinds that this cluster serves: those that are built in, and those of its CustomResourceDefinitions.

Controllers that deal with objects of every kind ask here. Discovery would tell the same, but has to be asked again and
again; the definitions are watched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kubeactors.api.kinds import Kind, registry
from kubeactors.api.meta import Object, name
from kubeactors.client.informer import Informer
from kubeactors.client.informer_factory import InformerFactory
from kubeactors.client.resource import Resource

logger = logging.getLogger(__name__)

DEFINITIONS = "customresourcedefinitions"
_CUSTOM_VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"})


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A resource and what can be done with it."""

    resource: Resource
    verbs: frozenset[str]


#: Told of a kind that came (True) or went (False).
Listener = Callable[[ServedKind, bool], None]


class ServedKinds:
    """`all` has each kind once, in the version that is preferred; `find` knows the others too."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._builtin: dict[tuple[str, str], ServedKind] = {}
        self._by_kind: dict[tuple[str, str], ServedKind] = {}
        for kind in kinds:
            served = _of_kind(kind)
            self._builtin.setdefault((kind.group, kind.plural), served)
            self._by_kind[kind.api_version, kind.kind] = served
        # Name of the definition → its kinds, the preferred version first.
        self._custom: dict[str, tuple[ServedKind, ...]] = {}
        self._listeners: list[Listener] = []

    def follow(self, definitions: Informer) -> None:
        """Keep up with the CustomResourceDefinitions from now on."""
        definitions.add_handler(self._put, lambda _, new: self._put(new), self._removed)

    def listen(self, listener: Listener) -> None:
        """Call this for custom kinds that come or go. It must not block."""
        self._listeners.append(listener)

    def all(self) -> list[ServedKind]:
        """Every kind, once."""
        return [*self._builtin.values(), *(versions[0] for versions in self._custom.values())]

    def find(self, api_version: str, kind: str) -> ServedKind | None:
        """The kind of objects with this apiVersion and kind."""
        found = self._by_kind.get((api_version, kind))
        if found is not None:
            return found
        for versions in self._custom.values():
            for served in versions:
                if (served.resource.api_version, served.resource.kind) == (api_version, kind):
                    return served
        return None

    # --- definitions

    def _put(self, definition: Object) -> None:
        # A definition that is being deleted still serves its objects: they must be found to be deleted.
        self._replace(name(definition), kinds_of(definition))

    def _removed(self, definition: Object) -> None:
        self._replace(name(definition), ())

    def _replace(self, definition: str, new: tuple[ServedKind, ...]) -> None:
        old = self._custom.pop(definition, ())
        if new:
            self._custom[definition] = new
        if old[:1] == new[:1]:
            return
        for served, came in ((old[:1], False), (new[:1], True)):
            for each in served:
                logger.info("%s of %s %s", each.resource.plural, each.resource.api_version, "came" if came else "went")
                for listener in self._listeners:
                    listener(each, came)


def served_kinds(informers: InformerFactory) -> ServedKinds:
    """The kinds of the cluster that the informers look at. Ask before the informers are started."""
    found = ServedKinds(registry.all())
    found.follow(informers.informer(DEFINITIONS))
    return found


def _of_kind(kind: Kind) -> ServedKind:
    resource = Resource(kind.group, kind.version, kind.plural, kind.kind, kind.namespaced)
    return ServedKind(resource, frozenset(kind.verbs))


def kinds_of(definition: Object) -> tuple[ServedKind, ...]:
    """The kinds of a CustomResourceDefinition, one for each served version, the stored one first; none before it is
    established."""
    spec, status = definition["spec"], definition.get("status") or {}
    if not _is_true(status.get("conditions") or (), "Established"):
        return ()
    names: Mapping[str, str] = status.get("acceptedNames") or {}
    if not names.get("plural") or not names.get("kind"):
        return ()
    versions = [version for version in spec.get("versions") or () if version.get("served")]
    versions.sort(key=lambda version: not version.get("storage"))
    namespaced = spec.get("scope") == "Namespaced"
    return tuple(
        ServedKind(Resource(spec["group"], version["name"], names["plural"], names["kind"], namespaced), _CUSTOM_VERBS)
        for version in versions
    )


def _is_true(conditions: Iterable[Mapping[str, str]], kind: str) -> bool:
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)
