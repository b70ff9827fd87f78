"""What a kind's writes take along: shared things that are claimed and given back in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubeactors.api.meta import Object
from kubeactors.store.client import ops


@dataclass(slots=True)
class Claims:
    """Parts of the object's own transaction: if a comparison fails, the object is not written either."""

    compare: list[ops.Compare] = field(default_factory=list)
    operations: list[ops.Op] = field(default_factory=list)


class Hook(Protocol):
    """Of one resource. Called again, from the beginning, when the transaction lost against another."""

    async def allocate(self, new: Object, old: Object | None, *, dry_run: bool) -> None:
        """Complete `new` in place with what it must have (an address, a port). Raises StatusError."""
        ...

    def claims(self, new: Object | None, old: Object | None) -> Claims:
        """What a write from `old` to `new` takes and gives back. `new` None: a deletion; `old` None: a creation."""
        ...


def join(
    compare: ops.Compare, operation: ops.Op, claims: Claims | None
) -> tuple[Sequence[ops.Compare], Sequence[ops.Op]]:
    """The transaction of an object with its claims."""
    if claims is None:
        return [compare], [operation]
    return [compare, *claims.compare], [operation, *claims.operations]
