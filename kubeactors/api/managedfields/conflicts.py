"""Conflicts between appliers, in Kubernetes' words (managedfields/internal/conflict.go)."""

from __future__ import annotations

from kubeactors.api import errors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.elements import show_path
from kubeactors.api.managedfields.fieldset import Fields
from kubeactors.api.managedfields.managers import UPDATE, Manager


class Conflicts(Exception):
    """What is applied is otherwise in fields of other managers. `sets`: each manager's fields that it is about."""

    def __init__(self, sets: dict[Manager, tuple[str, Fields]]) -> None:
        """`sets`: manager → the version of its fields, and these."""
        super().__init__("conflicts")
        self.sets = sets

    @property
    def fields(self) -> Fields:
        """All of them in one set."""
        made: Fields = {}
        for _, fields in self.sets.values():
            made = fieldset.union(made, fields)
        return made

    def without(self, allowed: Fields) -> Conflicts:
        left = {who: (version, fieldset.difference(fields, allowed)) for who, (version, fields) in self.sets.items()}
        return Conflicts({who: each for who, each in left.items() if each[1]})

    def as_status(self) -> StatusError:
        """The answer: 409 with a cause for each field."""
        found = [
            (_shown(who, version), show_path(path))
            for who, (version, fields) in sorted(self.sets.items())
            for path in fieldset.paths(fields)
        ]
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": where}
            for who, where in found
        ]
        return StatusError(errors.status_failure(409, "Conflict", _message(found), {"causes": causes}))


def _message(found: list[tuple[str, str]]) -> str:
    if len(found) == 1:
        return f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
    lines: list[str] = []
    for who in dict.fromkeys(who for who, _ in found):
        lines.append(f"conflicts with {who}:")
        lines += [f"- {where}" for each, where in found if each == who]
    return f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)


def _shown(who: Manager, version: str) -> str:
    text = go_quote(who.name)
    if who.subresource:
        text += f" with subresource {go_quote(who.subresource)}"
    return f"{text} using {version}" if who.operation == UPDATE else text
