"""The seam for validation rules (x-kubernetes-validations, KEP-2876), which are expressions in CEL.

No evaluator is built yet, so a schema with rules is refused: storing rules that nothing enforces would mislead.
"""

from typing import Any

from kubeactors.api import fielderrors
from kubeactors.api.customresources.structural import Schema, children
from kubeactors.api.fielderrors import FieldError

_KEY = "x-kubernetes-validations"


def has_rules(schema: Schema) -> bool:
    """Whether there is a rule anywhere in the schema."""
    return bool(schema.get(_KEY)) or any(map(has_rules, children(schema)))


def schema_errors(schema: Schema, path: str) -> list[FieldError]:
    """What is wrong with the rules of a schema, all of which lies at `path`."""
    if not has_rules(schema):
        return []
    message = f"{_KEY} are not evaluated by this server yet; remove the rules to create the definition"
    return [fielderrors.forbidden(path, message)]


def rule_errors(schema: Schema, obj: Any, old: Any = None) -> list[FieldError]:
    """What the rules find wrong with an object; `old` is the object before an update."""
    return []
