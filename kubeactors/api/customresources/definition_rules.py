"""What is wrong with a CustomResourceDefinition, in Kubernetes' words.

Kubernetes validates an internal form in which what all versions have alike stands once, at the top; its paths
(`spec.validation`, `spec.subresources`, …) show that.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from kubeactors.api import fielderrors, meta
from kubeactors.api.customresources.conditions import ESTABLISHED, is_true
from kubeactors.api.customresources.field_path import FieldPathError, find_field
from kubeactors.api.customresources.internal_schema import version_shown
from kubeactors.api.customresources.schema_rules import schema_errors
from kubeactors.api.customresources.structural import Schema, children, structural, unsupported
from kubeactors.api.customresources.values import same_json
from kubeactors.api.fielderrors import FieldError, go_quote
from kubeactors.api.meta import Object
from kubeactors.api.validation.common import duplicates
from kubeactors.api.validation.metadata import FIELD_IMMUTABLE
from kubeactors.api.validation.names import dns1035_label_errors, dns1123_subdomain_errors
from kubeactors.api.validation.webhook import ca_bundle_errors, webhook_service_errors, webhook_url_errors

APPROVAL_ANNOTATION: Final = "api-approved.kubernetes.io"
_APPROVAL_TEXT: Final = "https://github.com/kubernetes/enhancements/pull/1111"
_SCOPES: Final = ("Cluster", "Namespaced")
_STRATEGIES: Final = ("None", "Webhook")
_REVIEWS: Final = ("v1", "v1beta1")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MAX_SELECTABLE: Final = 8
_MAX_WARNING: Final = 256
_WITHOUT_SCHEMA: Final = ("version.schema.openAPIV3Schema is not included", "validations.schema is included")
_PER_VERSION: Final = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def definition_errors(crd: Object, old: Object | None = None) -> list[FieldError]:
    """What is wrong besides the metadata; `old` is the definition before an update."""
    spec, status = crd.get("spec") or {}, crd.get("status") or {}
    errors = _spec_errors(spec, old)
    if old is not None:
        errors += _immutable_errors(spec, old)
    errors += name_errors(status.get("acceptedNames") or {}, "status.acceptedNames")
    errors += _stored_version_errors(status.get("storedVersions") or [], spec.get("versions") or [])
    errors += _approval_errors(crd, old)
    errors += _preserve_errors(spec, old)
    return errors


def name_errors(names: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of spec.names and status.acceptedNames; empty ones are fine here."""
    errors: list[FieldError] = []
    for key in ("plural", "singular"):
        errors += _label_errors(names.get(key) or "", f"{path}.{key}")
    for key in ("kind", "listKind"):
        name = names.get(key) or ""
        messages = dns1035_label_errors(name.lower()) if name else []
        if messages:
            text = "may have mixed case, but should otherwise match: " + ",".join(messages)
            errors.append(fielderrors.invalid(f"{path}.{key}", name, text))
    for index, name in enumerate(names.get("shortNames") or ()):
        errors += _label_errors(name, f"{path}.shortNames[{index}]", empty=False)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        message = "kind and listKind may not be the same"
        errors.append(fielderrors.invalid(f"{path}.listKind", names["listKind"], message))
    for index, name in enumerate(names.get("categories") or ()):
        errors += _label_errors(name, f"{path}.categories[{index}]", empty=False)
    return errors


def _label_errors(name: str, path: str, *, empty: bool = True) -> list[FieldError]:
    messages = dns1035_label_errors(name) if name or not empty else []
    return [fielderrors.invalid(path, name, ",".join(messages))] if messages else []


# --- spec


def _spec_errors(spec: Mapping[str, Any], old: Object | None) -> list[FieldError]:
    versions: list[dict[str, Any]] = spec.get("versions") or []
    errors = _group_errors(spec.get("group") or "")
    scope = spec.get("scope") or ""
    if not scope:
        errors.append(fielderrors.required("spec.scope"))
    elif scope not in _SCOPES:
        errors.append(fielderrors.not_supported("spec.scope", scope, _SCOPES))
    shared, own = _internal(versions)
    if "schema" not in shared or not (shared["schema"] or {}).get("openAPIV3Schema"):
        for index, version in enumerate(own):
            if not (version.get("schema") or {}).get("openAPIV3Schema"):
                where = f"spec.versions[{index}].schema.openAPIV3Schema"
                errors.append(fielderrors.required(where))
    if spec.get("preserveUnknownFields") and any(map(_has_defaults, map(_schema_of, versions))):
        message = "must be false in order to use defaults in the schema"
        errors.append(fielderrors.invalid("spec.preserveUnknownFields", True, message))
    errors += _versions_errors(versions, shared, own)
    names = spec.get("names") or {}
    for key in ("plural", "singular", "kind", "listKind"):
        if not names.get(key):
            errors.append(fielderrors.required(f"spec.names.{key}"))
    errors += name_errors(names, "spec.names")
    any_status = any("status" in (version.get("subresources") or {}) for version in versions)
    errors += _part_errors(shared, "spec", "spec.validation", status=any_status)
    conversion = spec.get("conversion")
    if spec.get("preserveUnknownFields") and conversion is not None and conversion.get("strategy") != "None":
        message = "must be None if spec.preserveUnknownFields is true"
        errors.append(fielderrors.invalid("spec.conversion.strategy", conversion.get("strategy") or "", message))
    errors += _conversion_errors(conversion, old)
    return errors


def _schema_of(version: Mapping[str, Any]) -> Schema:
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def _has_defaults(schema: Schema) -> bool:
    return schema.get("default") is not None or any(map(_has_defaults, children(schema)))


def _group_errors(group: str) -> list[FieldError]:
    if not group:
        return [fielderrors.required("spec.group")]
    messages = dns1123_subdomain_errors(group)
    if messages:
        return [fielderrors.invalid("spec.group", group, ",".join(messages))]
    if "." not in group:
        return [fielderrors.invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _internal(versions: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what all versions have alike, each version with the rest)."""
    own = [dict(version) for version in versions]
    shared: dict[str, Any] = {}
    if not own:
        return shared, own
    for key in _PER_VERSION:
        first = own[0].get(key)
        alike = all(same_json(version.get(key), first) for version in versions)
        if key == "selectableFields":
            alike = alike and "schema" in shared
        if alike:
            shared[key] = first
    for version in own:
        for key in shared:
            version.pop(key, None)
    return shared, own


def _versions_errors(
    versions: list[dict[str, Any]], shared: Mapping[str, Any], own: list[dict[str, Any]]
) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, version in enumerate(own):
        where = f"spec.versions[{index}]"
        name = version.get("name") or ""
        messages = dns1035_label_errors(name)
        if messages:
            errors.append(fielderrors.invalid(f"{where}.name", name, ",".join(messages)))
        subresources = versions[index].get("subresources") or {}
        errors += _warning_errors(version, f"{where}.deprecationWarning")
        errors += _part_errors(version, where, f"{where}.schema", status="status" in subresources)
    names = [version.get("name") or "" for version in versions]
    wrong = []
    if len(set(names)) != len(names):
        wrong.append("must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        wrong.append("must have exactly one version marked as storage version")
    if wrong:
        shown = [version_shown(version) for version in own]
        errors += [fielderrors.invalid("spec.versions", shown, message) for message in wrong]
    if versions:
        # The name of the first version stands at the top of the internal form once more.
        errors += _label_errors(versions[0].get("name") or "", "spec.version")
    return errors


def _warning_errors(version: Mapping[str, Any], path: str) -> list[FieldError]:
    text = version.get("deprecationWarning")
    if text is None:
        return []
    if not version.get("deprecated"):
        return [fielderrors.invalid(path, text, "can only be set for deprecated versions")]
    messages = []
    if len(text.encode()) > _MAX_WARNING:
        messages.append(f"must be <= {_MAX_WARNING} characters long")
    if not text:
        messages.append("must not be an empty string")
    for index, char in enumerate(text):
        if not (char == " " or char.isprintable()) or (unicodedata.category(char) == "Zs" and char != " "):
            place = len(text[:index].encode())
            messages.append(
                f"must only contain printable UTF-8 characters; non-printable character found at index {place}"
            )
            break
    return [fielderrors.invalid(path, text, message) for message in messages]


def _part_errors(part: Mapping[str, Any], path: str, schema_path: str, *, status: bool) -> list[FieldError]:
    """Of schema, subresources, columns and selectable fields, of one version or shared by all."""
    schema = (part.get("schema") or {}).get("openAPIV3Schema")
    errors: list[FieldError] = []
    if schema is not None:
        errors += schema_errors(schema, f"{schema_path}.openAPIV3Schema", status=status)
    errors += _scale_errors((part.get("subresources") or {}).get("scale"), f"{path}.subresources.scale")
    for index, column in enumerate(part.get("additionalPrinterColumns") or ()):
        errors += _column_errors(column, f"{path}.additionalPrinterColumns[{index}]")
    if part.get("selectableFields"):
        where = f"{path}.selectableFields"
        if schema is None:
            # Among them the fields of versions which differ in nothing else: what is alike was taken out of them.
            message = f"selectableFields may only be set when {_WITHOUT_SCHEMA[path == 'spec']}"
            errors.append(fielderrors.invalid(where, "", message))
        elif not unsupported(schema):
            errors += _selectable_errors(part["selectableFields"], schema, where)
    return errors


def _scale_errors(scale: Mapping[str, Any] | None, path: str) -> list[FieldError]:
    if scale is None:
        return []
    errors: list[FieldError] = []
    for key, below in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
        value, where = scale.get(key) or "", f"{path}.{key}"
        if not value:
            errors.append(fielderrors.required(where))
            continue
        wrong = _path_errors(value, where)
        if not wrong and not value.startswith(below + "."):
            wrong = [fielderrors.invalid(where, value, f"should be a json path under {below}")]
        errors += wrong
    selector, where = scale.get("labelSelectorPath") or "", f"{path}.labelSelectorPath"
    if selector:
        wrong = _path_errors(selector, where)
        if not wrong and not selector.startswith((".spec.", ".status.")):
            wrong = [fielderrors.invalid(where, selector, "should be a json path under either .spec or .status")]
        errors += wrong
    return errors


def _path_errors(path: str, where: str) -> list[FieldError]:
    if path.startswith("."):
        return []
    return [fielderrors.invalid(where, path, "must be a simple json path starting with .")]


def _column_errors(column: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not column.get("name"):
        errors.append(fielderrors.required(f"{path}.name"))
    kind, format, where = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
    message = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        errors.append(fielderrors.required(f"{path}.type", message))
    elif kind not in _COLUMN_TYPES:
        errors.append(fielderrors.invalid(f"{path}.type", kind, message))
    if format and format not in _COLUMN_FORMATS:
        text = f"must be one of {','.join(_COLUMN_FORMATS)}"
        errors.append(fielderrors.invalid(f"{path}.format", format, text))
    if not where:
        errors.append(fielderrors.required(f"{path}.JSONPath"))
    else:
        errors += _path_errors(where, f"{path}.JSONPath")
    return errors


def _selectable_errors(fields: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    tree = structural(schema)
    seen: set[tuple[str, ...]] = set()
    for index, field in enumerate(fields):
        where, text = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not text:
            errors.append(fielderrors.required(where))
            continue
        try:
            names, found = find_field(text, tree, brackets=False)
        except FieldPathError as error:
            errors.append(fielderrors.invalid(where, text, f"is an invalid path: {error}"))
            continue
        if names[0] == "metadata":
            errors.append(fielderrors.invalid(where, text, "must not point to fields in metadata"))
        if found.type not in ("string", "boolean", "integer"):
            message = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            errors.append(fielderrors.invalid(where, text, message))
        if names in seen:
            errors.append(fielderrors.duplicate(where, text))
        seen.add(names)
    if len(seen) > _MAX_SELECTABLE:
        errors.append(fielderrors.too_many(path, len(seen), _MAX_SELECTABLE))
    return errors


# --- conversion


def _conversion_errors(conversion: Mapping[str, Any] | None, old: Object | None) -> list[FieldError]:
    if conversion is None:
        return []
    path = "spec.conversion"
    errors: list[FieldError] = []
    strategy = conversion.get("strategy") or ""
    if not strategy:
        errors.append(fielderrors.required(f"{path}.strategy"))
    elif strategy not in _STRATEGIES:
        errors.append(fielderrors.not_supported(f"{path}.strategy", strategy, _STRATEGIES))
    webhook = conversion.get("webhook") or {}
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    where = f"{path}.webhookClientConfig"
    if strategy != "Webhook":
        message = "should not be set when strategy is not set to Webhook"
        if client is not None:
            errors.append(fielderrors.forbidden(where, message))
        if reviews:
            errors.append(fielderrors.forbidden(f"{path}.conversionReviewVersions", message))
        return errors
    if client is None:
        errors.append(fielderrors.required(where, "required when strategy is set to Webhook"))
    else:
        errors += _client_errors(client, where, old)
    return errors + _review_errors(reviews, f"{path}.conversionReviewVersions", old)


def _client_errors(client: Mapping[str, Any], path: str, old: Object | None) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    errors: list[FieldError] = []
    if (url is None) == (service is None):
        errors.append(fielderrors.required(path, "exactly one of url or service is required"))
    elif url is not None:
        errors += webhook_url_errors(url, f"{path}.url", https=True)
    elif service is not None:
        errors += webhook_service_errors(service, f"{path}.service")
    bundle = client.get("caBundle")
    if bundle and not _invalid_bundle_allowed(old):
        errors += ca_bundle_errors(bundle, f"{path}.caBundle")
    return errors


def _invalid_bundle_allowed(old: Object | None) -> bool:
    """Before a definition is established, and while the present bundle is invalid."""
    if old is None or not is_true(old, ESTABLISHED):
        return True
    webhook = ((old.get("spec") or {}).get("conversion") or {}).get("webhook") or {}
    bundle: str = (webhook.get("clientConfig") or {}).get("caBundle") or ""
    return bool(bundle) and bool(ca_bundle_errors(bundle, ""))


def _review_errors(reviews: list[str], path: str, old: Object | None) -> list[FieldError]:
    if not reviews:
        return [fielderrors.required(path)]
    errors: list[FieldError] = []
    twice = set(duplicates(reviews))
    for index, version in enumerate(reviews):
        where = f"{path}[{index}]"
        if index in twice:
            errors.append(fielderrors.invalid(where, version, "duplicate version"))
            continue
        errors += [fielderrors.invalid(where, version, message) for message in dns1035_label_errors(version)]
    if not set(reviews) & set(_REVIEWS) and _recognised_before(old):
        message = f"must include at least one of {', '.join(_REVIEWS)}"
        errors.append(fielderrors.invalid(path, reviews, message))
    return errors


def _recognised_before(old: Object | None) -> bool:
    webhook = (((old or {}).get("spec") or {}).get("conversion") or {}).get("webhook") or {}
    reviews = webhook.get("conversionReviewVersions") or []
    return not reviews or bool(set(reviews) & set(_REVIEWS))


# --- what may not change, and status


def _immutable_errors(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    before = old.get("spec") or {}
    names, names_before = spec.get("names") or {}, before.get("names") or {}
    checks = [("spec.group", spec.get("group"), before.get("group"))]
    checks.append(("spec.names.plural", names.get("plural"), names_before.get("plural")))
    if is_true(old, ESTABLISHED):
        established = [
            ("spec.scope", spec.get("scope"), before.get("scope")),
            ("spec.names.kind", names.get("kind"), names_before.get("kind")),
        ]
        checks = established + checks
    return [fielderrors.invalid(path, new, FIELD_IMMUTABLE) for path, new, was in checks if new != was]


def _stored_version_errors(stored: list[str], versions: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    path = "status.storedVersions"
    if not stored:
        return [fielderrors.invalid(path, None, "must have at least one stored version")]
    errors = []
    left = set(stored)
    for version in versions:
        name = version.get("name") or ""
        if version.get("storage") and name not in left:
            errors.append(fielderrors.invalid(path, stored, f"must have the storage version {name}"))
        left.discard(name)
    for index, name in enumerate(stored):
        if name in left:
            message = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            errors.append(fielderrors.invalid(f"{path}[{index}]", name, message))
    return errors


def is_protected(group: str) -> bool:
    """Whether a group is the Kubernetes community's own."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def approval(crd: Object) -> tuple[str, str]:
    """(approved, bypassed, missing or invalid; the reason) of a definition in a protected group."""
    text = meta.annotations(crd).get(APPROVAL_ANNOTATION) or ""
    if not text:
        reason = f"protected groups must have approval annotation {go_quote(APPROVAL_ANNOTATION)}, see {_APPROVAL_TEXT}"
        return "missing", reason
    if text.startswith("unapproved"):
        return "bypassed", f"not approved: {go_quote(text)}"
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if url.scheme and url.netloc:
        return "approved", f"approved in {text}"
    reason = (
        f"protected groups must have approval annotation {go_quote(APPROVAL_ANNOTATION)} with either a URL or a reason "
        f'starting with "unapproved", see {_APPROVAL_TEXT}'
    )
    return "invalid", reason


def _approval_errors(crd: Object, old: Object | None) -> list[FieldError]:
    if not is_protected((crd.get("spec") or {}).get("group") or ""):
        return []
    state, reason = approval(crd)
    if old is not None and approval(old)[0] == state:
        return []
    path = f"metadata.annotations[{APPROVAL_ANNOTATION}]"
    if state == "missing":
        return [fielderrors.required(path, reason)]
    if state == "invalid":
        return [fielderrors.invalid(path, meta.annotations(crd).get(APPROVAL_ANNOTATION), reason)]
    return []


def _preserve_errors(spec: Mapping[str, Any], old: Object | None) -> list[FieldError]:
    if not spec.get("preserveUnknownFields") or ((old or {}).get("spec") or {}).get("preserveUnknownFields"):
        return []
    message = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [fielderrors.invalid("spec.preserveUnknownFields", True, message)]
