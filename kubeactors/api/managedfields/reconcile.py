"""Sets of fields after a change of the schema: what has become one thing is owned whole.

Only granular types that became atomic are reconciled; an atomic type that became granular counts as if it had always
been so.
Source: typed/reconcile_schema.go of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from kubeactors.api.managedfields import fieldset
from kubeactors.api.managedfields.atoms import Atom
from kubeactors.api.managedfields.fieldset import LEAF, SELF, Fields


def reconcile(atom: Atom, fields: Fields) -> Fields:
    """The set as this type has it; `fields` itself when nothing is to be done."""
    of_map, of_list = atom.map, atom.list
    if of_map is not None and of_map.is_deduced:
        return fields
    made, changed = {}, False
    for element, node in fields.items():
        below: Atom | None = None
        if element.startswith("f:") and of_map is not None:
            below = of_map.fields.get(element[2:]) or of_map.element
        elif element != SELF and of_list is not None:
            below = of_list.item
        new = node
        if below is not None and fieldset.has_children(node):
            new = LEAF if _is_atomic(below) else reconcile(below, node)
        changed = changed or new is not node
        made[element] = new
    return made if changed else fields


def _is_atomic(atom: Atom) -> bool:
    if atom.map is not None and atom.list is not None:
        return False  # deduced: what it is depends on the value
    return (atom.map is not None and atom.map.atomic) or (atom.list is not None and atom.list.atomic)
