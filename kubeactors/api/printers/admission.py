"""Cells of webhook configurations and admission policies."""

from datetime import datetime
from typing import Any

from kubeactors.api.meta import Object
from kubeactors.api.printers.text import age, label_selector_text, name

_UNSET = "<unset>"


def webhooks_cells(configuration: Object, now: datetime) -> list[Any]:
    return [name(configuration), len(configuration.get("webhooks") or ()), age(configuration, now)]


def validating_policy_cells(policy: Object, now: datetime) -> list[Any]:
    return _policy_cells(policy, "validations", now)


def mutating_policy_cells(policy: Object, now: datetime) -> list[Any]:
    return _policy_cells(policy, "mutations", now)


def policy_binding_cells(binding: Object, now: datetime) -> list[Any]:
    spec = binding.get("spec") or {}
    ref = spec.get("paramRef") or {}
    shown = _UNSET
    if ref.get("name"):
        shown = f"{ref.get('namespace') or '*'}/{ref['name']}"
    elif ref.get("selector") is not None:
        shown = label_selector_text(ref["selector"])
    return [name(binding), spec.get("policyName") or "", shown, age(binding, now)]


def _policy_cells(policy: Object, rules: str, now: datetime) -> list[Any]:
    spec = policy.get("spec") or {}
    kind = spec.get("paramKind")
    shown = f"{kind.get('apiVersion') or ''}/{kind.get('kind') or ''}" if kind is not None else _UNSET
    return [name(policy), len(spec.get(rules) or ()), shown, age(policy, now)]
