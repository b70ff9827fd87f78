"""CustomResourceDefinition."""

from datetime import datetime
from typing import Any

from kubeactors.api.customresources import formats
from kubeactors.api.customresources.definition_rules import definition_errors, name_errors
from kubeactors.api.customresources.structural import Schema, children
from kubeactors.api.fielderrors import FieldError, go_quote
from kubeactors.api.kinds.kind import STATUS_VERBS, Kind, Subresource
from kubeactors.api.kinds.strategy import StatusStrategy, Strategy
from kubeactors.api.meta import Object
from kubeactors.api.validation.names import dns1123_subdomain_errors

_PACKAGE = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
_WEBHOOK_PORT = 443


class DefinitionStrategy(Strategy):
    metadata_rechecks = 0
    finalizers_have_domains = False
    may_take_long = True
    namespaced = False
    has_status = True
    generation_fields = ("spec",)

    def default(self, obj: Object) -> None:
        spec = obj.get("spec") or {}
        names = spec.get("names") or {}
        kind = names.get("kind") or ""
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind") and kind:
            names["listKind"] = f"{kind}List"
        conversion = spec.setdefault("conversion", {"strategy": "None"})
        service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", _WEBHOOK_PORT)

    def prepare_for_create(self, obj: Object, now: datetime) -> None:
        super().prepare_for_create(obj, now)
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}}
        _note_storage_version(obj)

    def prepare_for_update(self, new: Object, old: Object, now: datetime) -> None:
        super().prepare_for_update(new, old, now)
        _note_storage_version(new)

    def validate_create(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        wanted = f"{(spec.get('names') or {}).get('plural') or ''}.{spec.get('group') or ''}"

        def check_name(name: str) -> list[str]:
            errors = dns1123_subdomain_errors(name)
            return errors if name == wanted else [*errors, 'must be spec.names.plural+"."+spec.group']

        named = _Named(check_name)
        return named.validate_create(obj) + definition_errors(obj)

    def validate_change(self, new: Object, old: Object) -> list[FieldError]:
        return definition_errors(new, old)

    def warnings_on_create(self, obj: Object) -> list[str]:
        return [f"unrecognized format {go_quote(format)}" for format in _unrecognized(obj)]

    def warnings_on_update(self, new: Object, old: Object) -> list[str]:
        before = _unrecognized(old)
        return [f"unrecognized format {go_quote(format)}" for format in _unrecognized(new) if format not in before]


class _Named(Strategy):
    """Checks the metadata with a check of the name that depends on the object."""

    namespaced = False
    finalizers_have_domains = False

    def __init__(self, check_name: Any) -> None:
        self.check_name = check_name


def _unrecognized(crd: Object) -> dict[str, None]:
    """Formats in schemas that mean nothing, in the order in which they are found."""
    found: dict[str, None] = {}
    for version in (crd.get("spec") or {}).get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            _unknown_formats(schema, found)
    return found


def _unknown_formats(schema: Schema, found: dict[str, None]) -> None:
    if schema.get("format") and not formats.known(schema["format"]):
        found[schema["format"]] = None
    for each in children(schema):
        _unknown_formats(each, found)


def _note_storage_version(crd: Object) -> None:
    """status.storedVersions: every version that objects may be stored in."""
    status = crd.setdefault("status", {})
    stored = list(status.get("storedVersions") or ())
    for version in (crd.get("spec") or {}).get("versions") or ():
        if version.get("storage"):
            if version.get("name") not in stored:
                stored.append(version.get("name"))
            break
    status["storedVersions"] = stored or None


def _status_errors(new: Object, old: Object) -> list[FieldError]:
    return name_errors((new.get("status") or {}).get("acceptedNames") or {}, "status.acceptedNames")


_STRATEGY = DefinitionStrategy()

KIND = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    schema=f"{_PACKAGE}.CustomResourceDefinition",
    storage_path="apiextensions.k8s.io/customresourcedefinitions",
    strategy=_STRATEGY,
    subresources=(Subresource("status", STATUS_VERBS, strategy=StatusStrategy(_STRATEGY, validate=_status_errors)),),
    unconditional_update=False,
    legacy_field_errors=True,
)
