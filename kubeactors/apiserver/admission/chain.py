"""The chain of admission plugins and what each is told about a write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.request import UserInfo

#: A name for what is refused before it has one.
_UNKNOWN = "Unknown"
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Attributes:
    """One write. `obj` is None for deletes; `old` is None for creates. Plugins change `obj` in `admit` only."""

    operation: Operation
    kind: Kind
    namespace: str
    name: str
    subresource: str
    obj: Object | None
    old: Object | None
    user: UserInfo
    dry_run: bool


def refusal(attributes: Attributes, message: str) -> StatusError:
    """403 by a plugin, with the name that the object has or will begin with (admission.NewForbidden)."""
    metadata = (attributes.obj or {}).get("metadata") or {}
    name = attributes.name or metadata.get("name") or metadata.get("generateName") or _UNKNOWN
    return errors.forbidden(attributes.kind.qualified_resource, name, message)


class Plugin(Protocol):
    """A step of the chain. Both methods raise StatusError to refuse the write."""

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        """Whether the plugin has anything to do with such writes. Asked once per combination."""
        ...

    async def admit(self, attributes: Attributes) -> None:
        """Complete the object. Runs before defaults that depend on it are validated."""
        ...

    async def validate(self, attributes: Attributes) -> None:
        """Look at the object as it will be stored."""
        ...


class AdmissionChain:
    """Every plugin's `admit` in order, later every plugin's `validate` in order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._concerned: dict[tuple[Operation, Kind, str], tuple[Plugin, ...]] = {}

    def forget_kinds(self) -> None:
        """Kinds came or went: ask the plugins anew what concerns them."""
        self._concerned.clear()

    def _of(self, attributes: Attributes) -> tuple[Plugin, ...]:
        key = (attributes.operation, attributes.kind, attributes.subresource)
        found = self._concerned.get(key)
        if found is None:
            found = self._concerned[key] = tuple(plugin for plugin in self._plugins if plugin.handles(*key))
        return found

    async def admit(self, attributes: Attributes) -> None:
        for plugin in self._of(attributes):
            await plugin.admit(attributes)

    async def validate(self, attributes: Attributes) -> None:
        for plugin in self._of(attributes):
            await plugin.validate(attributes)
