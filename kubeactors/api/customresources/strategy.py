"""What custom resources have in common when they are written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from kubeactors.api import fielderrors, meta
from kubeactors.api.codec import copy
from kubeactors.api.customresources.embedded import embedded_errors
from kubeactors.api.customresources.jsonpath import simple_fields
from kubeactors.api.customresources.listtypes import list_errors
from kubeactors.api.customresources.rule_evaluation import RuleSet
from kubeactors.api.customresources.rules import has_rules
from kubeactors.api.customresources.structural import Structural
from kubeactors.api.customresources.values import same_json, value_errors
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.kinds.strategy import Strategy, keep_server_owned_metadata, take_over
from kubeactors.api.meta import Object
from kubeactors.api.validation.metadata import metadata_errors, metadata_update_errors
from kubeactors.api.validation.names import dns1123_subdomain_errors

_MAX_REPLICAS: Final = 2**31 - 1
_GO_TYPES: Final = ((bool, "bool"), (int, "int64"), (float, "float64"), (str, "string"), (list, "[]interface {}"))
_BLOCKING: Final = frozenset(
    {
        fielderrors.NOT_SUPPORTED,
        fielderrors.REQUIRED,
        fielderrors.TOO_LONG,
        fielderrors.TOO_MANY,
        fielderrors.TYPE_INVALID,
    }
)
_UNCHECKED: Final = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)

Scale = Mapping[str, Any]


class CustomStrategy(Strategy):
    """Of one version. `scale` is its scale subresource, None without one; `status`: it has a status subresource."""

    def __init__(
        self, api_version: str, kind: str, schema: Structural, *, namespaced: bool, status: bool, scale: Scale | None
    ) -> None:
        self.namespaced = namespaced
        self.has_status = status
        self._api_version = api_version
        self._kind = kind
        self._schema = schema
        self._scale = scale
        self._rules = RuleSet(schema) if has_rules(schema.source) else None
        self.may_take_long = self._rules is not None

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        keep_server_owned_metadata(new, old)
        if self.has_status:
            take_over(new, old, "status")
        if not same_json(_without_metadata(new), _without_metadata(old)):
            new["metadata"]["generation"] = meta.generation(old) + 1

    def validate_create(self, obj: Object) -> list[FieldError]:
        errors = self._type_errors(obj)
        if not errors:
            errors = metadata_errors(
                obj.get("metadata") or {},
                namespaced=self.namespaced,
                check_name=dns1123_subdomain_errors,
                builtin=False,
            )
            errors += value_errors(self._schema.source, obj)
            errors += self._scale_errors(obj, "specReplicasPath")
            errors += self._scale_errors(obj, "statusReplicasPath")
        errors += embedded_errors(obj, self._schema)
        errors += list_errors(obj, self._schema)
        return errors + self._rule_errors(errors, obj, None)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        errors = metadata_update_errors(new.get("metadata") or {}, old.get("metadata") or {})
        found = self._type_errors(new)
        if not found:
            found = list(errors)
            found += value_errors(self._schema.source, new, "", old)
            found += self._scale_errors(new, "specReplicasPath")
            found += self._scale_errors(new, "statusReplicasPath")
        errors += found
        errors += embedded_errors(new, self._schema)
        if not list_errors(old, self._schema):
            errors += list_errors(new, self._schema)
        return errors + self._rule_errors(errors, new, old)

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        """What is wrong with a write to the status subresource."""
        errors = metadata_update_errors(new.get("metadata") or {}, old.get("metadata") or {})
        found = self._type_errors(new)
        if not found:
            found = list(errors)
            status = self._schema.properties.get("status")
            if status is not None and "status" in new:
                before = {"old": old["status"]} if "status" in old else {}
                found += value_errors(status.source, new["status"], "status", **before)
            found += self._scale_errors(new, "statusReplicasPath")
        errors += found
        errors += embedded_errors(new, self._schema)
        if not list_errors(old, self._schema):
            errors += list_errors(new, self._schema)
        return errors + self._rule_errors(errors, new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return _finalizer_warnings(meta.finalizers(obj))

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        before = meta.finalizers(old)
        found = _finalizer_warnings([each for each in meta.finalizers(new) if each not in before])
        return found + self.rule_warnings(new, old)

    def rule_warnings(self, new: Object, old: Object) -> list[str]:
        """Rules that did not hold before an update either, of what it did not change."""
        return [] if self._rules is None else [str(each) for each in self._rules.evaluate(new, old)[1]]

    def _type_errors(self, obj: Object) -> list[FieldError]:
        errors = []
        if obj.get("kind") != self._kind:
            errors.append(fielderrors.invalid("kind", obj.get("kind"), f"must be {self._kind}"))
        if obj.get("apiVersion") != self._api_version:
            errors.append(fielderrors.invalid("apiVersion", obj.get("apiVersion"), f"must be {self._api_version}"))
        return errors

    def _scale_errors(self, obj: Object, key: str) -> list[FieldError]:
        if self._scale is None:
            return []
        path = self._scale.get(key) or ""
        try:
            replicas = replicas_at(obj, path)
        except TypeError as error:
            return [fielderrors.invalid(path, 0, str(error))]
        errors = []
        if replicas < 0:
            errors.append(fielderrors.invalid(path, replicas, "should be a non-negative integer"))
        elif replicas > _MAX_REPLICAS:
            errors.append(fielderrors.invalid(path, replicas, f"should be less than or equal to {_MAX_REPLICAS}"))
        selector = self._scale.get("labelSelectorPath") or ""
        if key == "statusReplicasPath" and selector:
            try:
                text_at(obj, selector)
            except TypeError as error:
                errors.append(fielderrors.invalid(selector, "", str(error)))
        return errors

    def _rule_errors(self, errors: list[FieldError], obj: Object, old: Object | None) -> list[FieldError]:
        if self._rules is None:
            return []
        if any(error.type in _BLOCKING for error in errors):
            return [fielderrors.invalid("<nil>", None, _UNCHECKED)]
        return self._rules.evaluate(obj, old)[0]


class CustomStatusStrategy(Strategy):
    """Writes to the status subresource: nothing but the status changes."""

    def __init__(self, main: CustomStrategy) -> None:
        self._main = main
        self.namespaced = main.namespaced
        self.may_take_long = main.may_take_long

    @property
    def own_fields(self) -> tuple[tuple[str, ...], ...] | None:
        return (("status",),)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        given = new.get("status")
        had = "status" in new
        version, managers = new["metadata"].get("resourceVersion"), new["metadata"].get("managedFields")
        kept = copy(old)
        for key in list(new):
            if key not in ("kind", "apiVersion"):
                del new[key]
        new.update({key: value for key, value in kept.items() if key not in ("kind", "apiVersion")})
        for key, value in (("resourceVersion", version), ("managedFields", managers)):
            if value is not None:
                new["metadata"][key] = value
        if had:
            new["status"] = given
        else:
            new.pop("status", None)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return self._main.validate_status(new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return []

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        return self._main.rule_warnings(new, old)


def replicas_at(obj: Object, path: str) -> int:
    """The number at a path of plain fields, 0 without one. Raises TypeError with Kubernetes' words."""
    found = _value_at(obj, path)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError(_accessor_error(path, found, "int64"))
    return found


def text_at(obj: Object, path: str) -> str:
    """The text at a path of plain fields, empty without one. Raises TypeError with Kubernetes' words."""
    found = _value_at(obj, path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise TypeError(_accessor_error(path, found, "string"))
    return found


def _value_at(obj: Object, path: str) -> Any:
    value: Any = obj
    fields = simple_fields(path)
    for index, field in enumerate(fields):
        if not isinstance(value, dict):
            raise TypeError(_accessor_error("." + ".".join(fields[:index]), value, "map[string]interface{}"))
        value = value.get(field)
        if value is None:
            return None
    return value


def _accessor_error(path: str, value: Any, wanted: str) -> str:
    kind = next((name for kind, name in _GO_TYPES if isinstance(value, kind)), "map[string]interface {}")
    return f"{path} accessor error: {value} is of the type {kind}, expected {wanted}"


def _without_metadata(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key != "metadata"}


def _finalizer_warnings(finalizers: list[str]) -> list[str]:
    standard = ("orphan", "foregroundDeletion", "kubernetes")
    return [
        f'metadata.finalizers: "{each}": prefer a domain-qualified finalizer name including a path (/) to avoid '
        "accidental conflicts with other finalizer writers"
        for each in sorted(finalizers)
        if "/" not in each and each not in standard
    ]
