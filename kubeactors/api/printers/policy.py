"""Cells of pod disruption budgets."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, name


def pod_disruption_budget_cells(budget: Object, now: datetime) -> list[Any]:
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    return [
        name(budget),
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        age(budget, now),
    ]
