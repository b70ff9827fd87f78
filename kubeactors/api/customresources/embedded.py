"""Objects inside of objects (x-kubernetes-embedded-resource): their apiVersion, kind and metadata."""

from typing import Any, Final

from kubeactors.api import fielderrors
from kubeactors.api.customresources.structural import META_FIELDS, Structural
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.schema.decoder import DecodeProblems, decoder_for
from kubeactors.api.schema.mismatch import TypeMismatchError
from kubeactors.api.validation.metadata import metadata_errors
from kubeactors.api.validation.names import dns1035_label_errors

METADATA: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_BAD_NAMES: Final = frozenset({".", ".."})


def coerce(obj: Any, schema: Structural | None, path: str = "") -> list[str]:
    """Normalise the metadata of embedded objects in place; gives unknown fields' paths. Raises TypeMismatchError."""
    unknown: list[str] = []
    _coerce(obj, schema, path, unknown)
    return unknown


def _coerce(value: Any, schema: Structural | None, path: str, unknown: list[str]) -> None:
    if schema is None:
        return
    if isinstance(value, dict):
        for key in sorted(value):
            where = f"{path}.{key}" if path else key
            if schema.embedded and key in META_FIELDS:
                if key == "metadata":
                    coerce_metadata(value, where, unknown)
                elif not isinstance(value[key], str):
                    raise TypeMismatchError(str(fielderrors.invalid(where, value[key], "must be a string")))
                continue
            known = schema.properties.get(key)
            _coerce(value[key], known if known is not None else schema.values, where, unknown)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _coerce(each, schema.items, f"{path}[{index}]", unknown)


def coerce_metadata(
    obj: dict[str, Any], path: str, unknown: list[str], duplicates: dict[int, list[str]] | None = None
) -> None:
    """Normalise obj.metadata in place. Raises TypeMismatchError."""
    metadata = obj["metadata"]
    if metadata is None:
        del obj["metadata"]
        return
    problems = DecodeProblems()
    if not isinstance(metadata, dict):
        text = f"json: cannot unmarshal {fielderrors.go_quote(str(metadata))} into field metadata of type ObjectMeta"
        raise TypeMismatchError(text)
    decoder_for(METADATA)(metadata, problems)
    start = 'unknown field "'
    unknown += [f"{path}.{each[len(start) : -1]}" for each in problems.problems if each.startswith(start)]


def embedded_errors(obj: Any, schema: Structural | None, path: str = "") -> list[FieldError]:
    """What is wrong with apiVersion, kind and metadata of embedded objects, wherever they lie."""
    if schema is None:
        return []
    errors: list[FieldError] = []
    if isinstance(obj, dict):
        if schema.embedded:
            errors += _of_one(obj, path)
        for key, value in obj.items():
            known = schema.properties.get(key)
            if known is not None:
                errors += embedded_errors(value, known, f"{path}.{key}" if path else key)
            elif schema.values is not None:
                errors += embedded_errors(value, schema.values, f"{path}[{key}]")
    elif isinstance(obj, list):
        for index, value in enumerate(obj):
            errors += embedded_errors(value, schema.items, f"{path}[{index}]")
    return errors


def _of_one(obj: dict[str, Any], path: str) -> list[FieldError]:
    prefix = f"{path}." if path else ""
    errors: list[FieldError] = []
    for key in ("apiVersion", "kind"):
        value = obj.get(key)
        where = f"{prefix}{key}"
        if key not in obj or value == "":
            errors.append(fielderrors.required(where))
        elif not isinstance(value, str):
            errors.append(fielderrors.invalid(where, value, "must be a string"))
        elif key == "apiVersion" and value.count("/") > 1:
            message = f"unexpected GroupVersion string: {value}"
            errors.append(fielderrors.invalid(where, value, message))
        elif key == "kind":
            messages = dns1035_label_errors(value.lower())
            if messages:
                text = "may have mixed case, but should otherwise match: " + ",".join(messages)
                errors.append(fielderrors.invalid(where, value, text))
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        named = metadata if metadata.get("name") else {**metadata, "name": "fakename"}
        errors += metadata_errors(
            named,
            namespaced=bool(metadata.get("namespace")),
            check_name=path_segment_errors,
            path=f"{prefix}metadata",
            builtin=False,
        )
    return errors


def path_segment_errors(name: str) -> list[str]:
    """What no name may be, as it becomes a segment of a URL."""
    if name in _BAD_NAMES:
        return [f"may not be {fielderrors.go_quote(name).strip(chr(34))!r}"]
    return [f"may not contain '{char}'" for char in ("/", "%") if char in name]
