"""Validation rules of custom resources (x-kubernetes-validations, KEP-2876), compiled.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kubeactors.api.cel.cost import estimate
from kubeactors.api.cel.declared import Declared
from kubeactors.api.cel.environment import BASE, Environment, Program
from kubeactors.api.cel.source import CompileError
from kubeactors.api.cel.types import BOOL, STRING, optional_of
from kubeactors.api.customresources.field_path import FieldPathError, find_field
from kubeactors.api.customresources.structural import Schema, Structural, children

KEY: Final = "x-kubernetes-validations"
_TYPE_NAME: Final = "selfType"
_NO_SCHEMA: Final = Structural()
SELF, OLD_SELF = "self", "oldSelf"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `error`, `message_error`: why it, or its message, does not compile; then there is no program.

    Costs are the highest possible, of one evaluation.
    """

    text: str
    message: str
    reason: str
    field_path: str  # as it comes behind the path of the schema, without a dot before it
    optional_old: bool
    program: Program | None = None
    error: str = ""
    cost: int = 0
    uses_old: bool = False
    message_program: Program | None = None
    message_error: str = ""
    message_cost: int = 0

    @property
    def told(self) -> str:
        """How errors name the rule."""
        return self.message.strip() if self.message else self.text.strip()


def has_rules(schema: Schema) -> bool:
    """Whether there is a rule anywhere in the schema."""
    return bool(schema.get(KEY)) or any(map(has_rules, children(schema)))


def compile_rules(schema: Structural, declared: Declared) -> Iterator[Rule]:
    """The rules of one schema, not of those inside it, one after the other, as each holds much memory.

    `declared`: the type of its values.
    """
    named = declared.named(_TYPE_NAME)
    environments = _environments(named)
    for rule in schema.source.get(KEY) or ():
        yield _compile(rule, schema, named, environments)


def _environments(declared: Declared) -> tuple[Environment, Environment]:
    """(for rules in which oldSelf is as self, for those in which it is optional)."""
    return (
        BASE.with_variables({SELF: declared.type, OLD_SELF: declared.type}),
        BASE.with_variables({SELF: declared.type, OLD_SELF: optional_of(declared.type)}),
    )


def _compile(
    rule: Mapping[str, Any], schema: Structural, declared: Declared, environments: Sequence[Environment]
) -> Rule:
    text, optional_old = rule.get("rule") or "", bool(rule.get("optionalOldSelf"))
    base = Rule(
        text,
        rule.get("message") or "",
        rule.get("reason") or "",
        _field_path(rule.get("fieldPath") or "", schema),
        optional_old,
    )
    if not text.strip():
        return base
    environment = environments[optional_old]
    try:
        program = environment.compile(text)
    except CompileError as error:
        return replace(base, error=error.reason)
    if program.result_type != BOOL:
        return replace(base, error="cel expression must evaluate to a bool")
    sizes = {SELF: declared, OLD_SELF: declared}
    made = replace(base, program=program, cost=estimate(program.root, sizes).high, uses_old=program.uses(OLD_SELF))
    expression = rule.get("messageExpression") or ""
    if not expression:
        return made
    try:
        message = environment.compile(expression)
    except CompileError as error:
        return replace(made, message_error=f"messageExpression {error.reason}")
    if message.result_type != STRING:
        return replace(made, message_error="messageExpression must evaluate to a string")
    return replace(made, message_program=message, message_cost=estimate(message.root, sizes).high)


def _field_path(path: str, schema: Structural) -> str:
    """`.spec.color` as `spec.color`; keys of maps stand in brackets."""
    if not path:
        return ""
    try:
        names, _ = find_field(path, schema)
    except FieldPathError:
        return ""
    found = ""
    at: Structural = schema
    for name in names:
        if at.properties:
            found += f".{name}" if found else name
            at = at.properties.get(name) or _NO_SCHEMA
        else:
            found += f"[{name}]"
            at = at.values or _NO_SCHEMA
    return found
