"""Cells of role bindings."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name


def binding_cells(binding: Object, now: datetime) -> list[Any]:
    reference = binding.get("roleRef") or {}
    subjects = binding.get("subjects") or ()
    accounts = (
        f"{s.get('namespace') or ''}/{s.get('name') or ''}" for s in subjects if s.get("kind") == "ServiceAccount"
    )
    return [
        name(binding),
        f"{reference.get('kind') or ''}/{reference.get('name') or ''}",
        age(binding, now),
        ", ".join(s.get("name") or "" for s in subjects if s.get("kind") == "User"),
        ", ".join(s.get("name") or "" for s in subjects if s.get("kind") == "Group"),
        ", ".join(accounts),
    ]
