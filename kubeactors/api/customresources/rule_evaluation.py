"""Evaluation of the validation rules of a version's schema, on each write of its custom resources."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.cel.declared import Declared, escape
from kubeactors.api.cel.environment import CostLimitError, Evaluation, Program
from kubeactors.api.cel.values import MISSING, NONE, EvaluationError, Optional
from kubeactors.api.customresources.cel_types import declared
from kubeactors.api.customresources.cel_values import Reader, map_key, reader
from kubeactors.api.customresources.rules import KEY, Rule, compile_rules
from kubeactors.api.customresources.structural import Structural
from kubeactors.api.customresources.values import NO_PATH, same_json
from kubeactors.api.fielderrors import OMITTED, FieldError, go_quote

# What all rules may cost in one write.
BUDGET: Final = 10_000_000
_MAX_MESSAGE: Final = 5 * 1024  # bytes
_OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"
_ENDED: Final = "no further validation rules will be run due to"
_NOT_CORRELATED: Final = ("apiVersion", "kind")


class _Stop(Exception):
    """No further rules are evaluated."""


class _MessageError(Exception):
    """A message expression ended everything."""


@dataclass(frozen=True, slots=True)
class _Old:
    """A value with the one before it."""

    new: Any
    old: Any

    def same(self) -> bool:
        return same_json(self.new, self.old)


@dataclass(slots=True)
class _Run:
    """One write. `warnings`: what was wrong already, and did not change (KEP-4008)."""

    budget: int = BUDGET
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)

    def spend(self, cost: int) -> None:
        self.budget -= cost
        if self.budget < 0:
            raise _Stop


class RuleSet:
    """The rules of a schema and of those inside it. Made once for a schema; what is evaluated first is compiled."""

    def __init__(self, schema: Structural, known: Declared | None = None, *, root: bool = True) -> None:
        """`known`: the type of its values, if that follows from a schema around it; `root`: it is of whole objects."""
        if known is None:
            known = declared(schema, root=root)
        self.any_rules: bool
        self._schema = schema
        self._known = known
        self._has_rules = known is not None and bool(schema.source.get(KEY))
        self._rules: tuple[Rule, ...] | None = None
        self._read: Reader = reader(schema, root=root)
        self._properties = {name: found for name, found in self._of_properties(known) if found.any_rules}
        self._values = self._of(schema.values, known and known.element)
        self._items = self._of(schema.items, known and known.element)
        self.any_rules = bool(self._has_rules or self._properties or self._values or self._items)

    def _of_properties(self, known: Declared | None) -> list[tuple[str, "RuleSet"]]:
        fields = (known.fields or {}) if known is not None else {}
        return [
            (name, RuleSet(each, fields.get(escape(name)), root=each.embedded))
            for name, each in self._schema.properties.items()
        ]

    @staticmethod
    def _of(schema: Structural | None, known: Declared | None) -> "RuleSet | None":
        found = None if schema is None else RuleSet(schema, known, root=schema.embedded)
        return found if found is not None and found.any_rules else None

    def evaluate(
        self, obj: Any, old: Any = None, path: str = "", *, ratcheting: bool = True
    ) -> tuple[list[FieldError], list[FieldError]]:
        """(errors, warnings); `old` is the object before an update, None on create.

        `ratcheting`: what was wrong before and did not change is a warning.
        """
        run = _Run()
        current = _Old(obj, old) if old is not None and ratcheting else None
        with suppress(_Stop):
            self._value(run, obj, old, path, current, None)
        return run.errors, run.warnings

    # --- the walk

    def _value(self, run: _Run, obj: Any, old: Any, path: str, current: _Old | None, parent: _Old | None) -> None:
        if obj is None:
            return
        if self._has_rules:
            self._expressions(run, obj, old, path, current, parent)
        if isinstance(obj, dict):
            self._map(run, obj, old if isinstance(old, dict) else {}, path, current, parent)
        elif isinstance(obj, list) and self._items is not None:
            self._list(run, obj, old if isinstance(old, list) else [], path, current, parent)

    def _map(
        self, run: _Run, obj: dict[str, Any], old: dict[str, Any], path: str, current: _Old | None, parent: _Old | None
    ) -> None:
        if self._values is not None:
            for key, value in obj.items():
                inside = _key(current, key)
                self._values._value(run, value, old.get(key), f"{path}[{key}]", inside, current or parent)
        for key, rules in self._properties.items():
            if key not in obj:
                continue
            where = f"{path}.{key}" if path else key
            at_root = not path and key in _NOT_CORRELATED
            inside = None if at_root else _key(current, key)
            rules._value(run, obj[key], old.get(key), where, inside, None if at_root else current or parent)

    def _list(
        self, run: _Run, obj: list[Any], old: list[Any], path: str, current: _Old | None, parent: _Old | None
    ) -> None:
        """Rules see the old items of lists of type map alone; ratcheting knows those of lists without a type, too."""
        assert self._items is not None
        known: dict[bytes, Any] = {}
        keys = self._schema.map_keys if self._schema.list_type == "map" else ()
        if keys:
            known = {map_key(each, keys): each for each in old}
        for index, value in enumerate(obj):
            before = known.get(map_key(value, keys), MISSING) if keys else MISSING
            found = before is not MISSING
            beside = before if found else None
            if not self._schema.list_type and index < len(old):
                beside = old[index]
            inside = _Old(value, beside) if beside is not None and current is not None else None
            self._items._value(run, value, before if found else None, f"{path}[{index}]", inside, current or parent)

    # --- rules

    def _compiled(self) -> tuple[Rule, ...]:
        if self._rules is None:
            assert self._known is not None
            self._rules = tuple(compile_rules(self._schema, self._known))
        return self._rules

    def _expressions(self, run: _Run, obj: Any, old: Any, path: str, current: _Old | None, parent: _Old | None) -> None:
        where = path or NO_PATH
        kind = self._schema.type
        if run.budget <= 0:
            run.errors.append(fielderrors.invalid(where, kind, _OUT_OF_BUDGET))
            raise _Stop
        new_value = self._read(obj)
        old_value = self._read(old) if old is not None else MISSING
        for rule in self._compiled():
            if rule.error:
                run.errors.append(fielderrors.invalid(where, kind, f"rule compile error: {rule.error}"))
                continue
            if rule.program is None or (rule.uses_old and old is None and not rule.optional_old):
                continue
            before = old_value
            if rule.optional_old:
                before = NONE if old_value is MISSING else Optional(old_value)
            values = (new_value, before)
            held = self._holds(run, rule, rule.program, values, where, kind)
            if held is not False:
                continue
            at = _beside(path, rule.field_path) or NO_PATH
            compared = current or parent
            ratcheted = not rule.uses_old and compared is not None and compared.same()
            errors = run.warnings if ratcheted else run.errors
            value = OMITTED if kind in ("object", "array") else obj
            try:
                # Kubernetes shows oldSelf to messages as it is, even where the rule sees an optional.
                message = _message(run, rule, (new_value, old_value)) or (
                    rule.message.strip() if rule.message else f"failed rule: {rule.told}"
                )
            except _MessageError as error:
                errors.append(fielderrors.invalid(at, kind, str(error)))
                raise _Stop from None
            errors.append(_field_error(rule.reason, at, value, message))

    def _holds(
        self, run: _Run, rule: Rule, program: Program, values: Sequence[Any], where: str, kind: str
    ) -> bool | None:
        """Whether a rule holds; None: it has no result, which was told."""
        evaluation = Evaluation(program, values)
        failure: EvaluationError | None = None
        result = None
        try:
            result = evaluation.run()
        except EvaluationError as error:
            failure = error
        try:
            run.spend(evaluation.cost)
        except _Stop:
            run.errors.append(fielderrors.invalid(where, kind, _OUT_OF_BUDGET))
            raise
        if failure is None:
            return result is True
        if isinstance(failure, CostLimitError):
            text = f"'{failure}': {_ENDED} call cost exceeds limit for rule: {rule.told}"
            run.errors.append(fielderrors.invalid(where, kind, text))
            raise _Stop
        if str(failure).startswith("no such overload"):
            text = (
                f"'{failure}': call arguments did not match a supported operator, function or macro signature for "
                f"rule: {rule.told}"
            )
        else:
            text = f"{failure} evaluating rule: {rule.told}"
        run.errors.append(fielderrors.invalid(where, kind, text))
        return None


def _key(current: _Old | None, key: str) -> _Old | None:
    """The value of a key with the one before it."""
    if current is None or not isinstance(current.old, dict):
        return None
    return _Old(current.new.get(key), current.old[key]) if key in current.old else None


def _beside(path: str, field_path: str) -> str:
    if not field_path:
        return path
    return f"{path}.{field_path}" if path else field_path


def _message(run: _Run, rule: Rule, values: Sequence[Any]) -> str:
    """What the message expression says; empty if it says nothing that may be shown. Raises _MessageError."""
    if rule.message_program is None:
        return ""
    evaluation = Evaluation(rule.message_program, values)
    shown = go_quote(rule.message_program.text)
    failure: EvaluationError | None = None
    result = ""
    try:
        result = evaluation.run()
    except EvaluationError as error:
        failure = error
    if evaluation.cost > run.budget:
        raise _MessageError(f"messageExpression {_OUT_OF_BUDGET.replace('validation failed', 'evaluation failed')}")
    run.budget -= evaluation.cost
    if isinstance(failure, CostLimitError):
        raise _MessageError(f"{_ENDED} call cost exceeds limit for messageExpression: {shown}")
    if failure is not None or not isinstance(result, str):
        return ""
    message = result.strip()
    return "" if len(message.encode()) > _MAX_MESSAGE or "\n" in message else message


def _field_error(reason: str, path: str, value: Any, message: str) -> FieldError:
    if reason == fielderrors.FORBIDDEN:
        return fielderrors.forbidden(path, message)
    if reason == fielderrors.REQUIRED:
        return fielderrors.required(path, message)
    if reason == fielderrors.DUPLICATE:
        return fielderrors.duplicate(path, value)
    return fielderrors.invalid(path, value, message)
