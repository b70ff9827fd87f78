"""From the bytes of a request to an object of a kind, and back.

Bodies are JSON or YAML. Field validation is the query parameter of that name: Ignore drops unknown and duplicate
fields silently, Warn (the default) drops them with a warning for each, Strict refuses them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from kubeactors.api import errors, yaml
from kubeactors.api.document_order import in_document_order
from kubeactors.api.errors import StatusError
from kubeactors.api.go_json import syntax_error
from kubeactors.api.meta import Object
from kubeactors.api.patched_text import quoted
from kubeactors.api.protobuf.messages import known
from kubeactors.api.raw_extension import keep_text
from kubeactors.api.schema.decoder import (
    MAX_PROBLEMS,
    DecodeProblems,
    Decoder,
    decoder_for,
    duplicate_field,
    unknown_field,
)
from kubeactors.api.schema.directives import RETAIN_KEYS, SET_ORDER
from kubeactors.api.schema.mismatch import TypeMismatchError, mismatch_text

if TYPE_CHECKING:
    from kubeactors.api.kinds.kind import Kind

IGNORE: Final = "Ignore"
WARN: Final = "Warn"
STRICT: Final = "Strict"
JSON: Final = "application/json"
YAML: Final = "application/yaml"
_SURELY_WRITABLE: Final = 200  # levels; orjson writes some 250
ACCEPTED: Final = (JSON, YAML)
_SCHEME: Final = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"  # as Kubernetes calls the set of its types


@dataclass(frozen=True, slots=True)
class Decoded:
    """An object, normalised, with kind and apiVersion set; and a text for each thing to warn about."""

    obj: Object
    warnings: list[str]


def decode(kind: Kind, body: bytes, *, content_type: str = JSON, field_validation: str = WARN) -> Decoded:
    """Decode the body of a create or update. Raises StatusError (400, 415)."""
    decoded = decode_as(
        kind.kind,
        kind.api_version,
        kind.decoder,
        body,
        content_type=content_type,
        field_validation=field_validation,
        custom=kind.custom,
    )
    if kind.text_member and content_type == JSON:
        keep_text(decoded.obj, kind.text_member, body)
    return decoded


def decode_definition(
    definition: str,
    kind: str,
    api_version: str,
    body: bytes,
    *,
    content_type: str = JSON,
    field_validation: str = WARN,
) -> Decoded:
    """Decode a body that is of no registered kind, such as a Binding, a Scale or DeleteOptions."""
    return decode_as(
        kind,
        api_version,
        decoder_for(definition),
        body,
        content_type=content_type,
        field_validation=field_validation,
    )


def decode_as(
    kind: str,
    api_version: str,
    decoder: Decoder,
    body: bytes,
    *,
    content_type: str = JSON,
    field_validation: str = WARN,
    custom: bool = False,
) -> Decoded:
    """Decode a body by a decoder. Raises StatusError (400, 415).

    `custom`: a custom resource must say its kind, and a wrong one is for validation to refuse.
    """
    extra: list[str] = []
    if content_type == JSON:
        try:
            obj = parse_json(body)
        except ValueError as error:
            raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {error}") from None
    elif content_type == YAML:
        try:
            obj, extra = yaml.load(body)
        except yaml.YamlError as error:
            raise _unrecognized(kind, f"yaml: {error}") from None
    else:
        raise errors.unsupported_media_type((*ACCEPTED, "application/vnd.kubernetes.protobuf"))
    if obj is None:
        obj = {}
    if custom:
        given_kind = _check_custom_type(obj, kind, api_version, body)
    else:
        given_kind = kind
        _check_type_meta(obj, kind, api_version)
    cleared = _clears_managed_fields(obj)
    try:
        problems = decoder(obj)
        if content_type == JSON and field_validation != IGNORE and _may_repeat_keys(body, problems.keys):
            obj, problems = _decode_with_duplicates(decoder, body)
            if not custom:
                _check_type_meta(obj, kind, api_version)
    except TypeMismatchError as error:
        raise _cannot_handle(kind, api_version, str(error)) from None
    found = extra + problems.problems
    if found and field_validation == STRICT:
        raise _cannot_handle(kind, api_version, f"strict decoding error: {', '.join(found)}")
    obj["kind"] = given_kind
    obj["apiVersion"] = api_version
    if cleared:
        obj["metadata"]["managedFields"] = []
    return Decoded(obj, [] if field_validation == IGNORE else found)


def decode_patched(
    kind: Kind,
    obj: Object,
    *,
    field_validation: str = WARN,
    patch: bytes = b"",
    strategic: bool = False,
) -> Decoded:
    """Normalise the result of a patch in place. Raises StatusError (422).

    The error quotes the result, or the patch when it is a strategic merge patch.
    """
    return decode_patched_as(
        kind.kind,
        kind.api_version,
        kind.decoder,
        obj,
        schema="" if kind.custom else kind.schema,
        field_validation=field_validation,
        patch=patch,
        strategic=strategic,
    )


def decode_patched_as(
    kind: str,
    api_version: str,
    decoder: Decoder,
    obj: Object,
    *,
    schema: str,
    field_validation: str = WARN,
    patch: bytes = b"",
    strategic: bool = False,
) -> Decoded:
    """Like decode_patched, for an object of no registered kind (a Scale), of the definition `schema`."""
    try:
        before = orjson.dumps(obj)  # decoding changes the object
    except orjson.JSONEncodeError:
        raise _invalid_patch("", "exceeded max depth") from None

    def refused(message: str) -> StatusError:
        text = _as_go_prints(patch) if strategic else quoted(orjson.loads(before), patch, schema)
        return _invalid_patch(text, message)

    if obj.get("kind") != kind or obj.get("apiVersion") != api_version:
        # What a patch takes away, the URL says.
        given_kind, given_version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
        if (given_kind, given_version) != (kind, api_version):
            raise refused(_retyped(given_kind, given_version))
        obj["kind"], obj["apiVersion"] = kind, api_version
    cleared = _clears_managed_fields(obj)
    try:
        problems = decoder(obj)
    except TypeMismatchError as error:
        raise refused(error.as_conversion() if strategic else str(error)) from None
    found = _patch_problems(patch) + problems.problems if field_validation != IGNORE else []
    if found and field_validation == STRICT:
        raise refused(f"strict decoding error: {', '.join(found)}")
    if cleared:
        obj["metadata"]["managedFields"] = []
    return Decoded(obj, found)


_TYPE_META: Final = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
)


def type_problem(document: Any) -> str:
    """Why a document does not tell its kind and version, if it does not; empty if it can."""
    wrong = ""
    if not isinstance(document, dict):
        wrong = mismatch_text(document, _TYPE_META)
    else:
        for name, given in document.items():
            if name in ("apiVersion", "kind") and given is not None and not isinstance(given, str):
                wrong = mismatch_text(given, "string", f"struct field .{name}")
                break
    return f"couldn't get version/kind; json parse error: {wrong}" if wrong else ""


def _retyped(kind: Any, api_version: Any) -> str:
    """Why a patch may not make an object one of this type."""
    if unreadable := type_problem({"kind": kind, "apiVersion": api_version}):
        return unreadable
    group, _, version = api_version.rpartition("/")
    if known(f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"):
        return f"the patch changes the type of the object to {api_version}, Kind={kind}"
    return f'no kind "{kind}" is registered for version "{api_version}" in scheme "{_SCHEME}"'


def parse_json(body: bytes) -> Any:
    """JSON, nested no deeper than can be written again. Raises ValueError, of which the message is Go's."""
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise ValueError(syntax_error(body) or str(error)) from None
    if body.count(b"{") + body.count(b"[") > _SURELY_WRITABLE:
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise ValueError("exceeded max depth") from None
    return value


def duplicate_keys(body: bytes) -> list[str]:
    """`duplicate field "a.b"` for every key that a JSON text repeats in one object."""
    try:
        parsed, repeated = _parse_with_duplicates(body)
    except ValueError:
        return []
    if not repeated:
        return []
    found: list[str] = []
    _find_duplicates(parsed, "", repeated, found)
    return found


_OPERATION_FIELDS: Final = frozenset({"op", "path", "from", "value"})


def _patch_problems(patch: bytes) -> list[str]:
    """What a strict reader has against a patch: repeated keys and, in a JSON patch, members that operations lack."""
    found = duplicate_keys(patch)
    if not patch.lstrip().startswith(b"["):
        return found
    operations = orjson.loads(patch)
    for index, operation in enumerate(operations):
        unknown = [key for key in operation or () if key not in _OPERATION_FIELDS]
        found += [f'unknown field "[{index}].{key}"' for key in unknown]
    return [f"json patch {problem}" for problem in found[:MAX_PROBLEMS]]


def _as_go_prints(patch: bytes) -> str:
    """A JSON text as Go prints the maps it parses to; Kubernetes quotes strategic merge patches so.

    By then the patch was merged, and what says how to merge was taken out of it.
    """
    try:
        return go_value(_merged(orjson.loads(patch)))
    except orjson.JSONDecodeError:
        return patch.decode("utf-8", "replace")


def _merged(patch: Any) -> Any:
    """What Kubernetes' merging leaves of a strategic merge patch: no lists whose order it gives, and no orders."""
    if isinstance(patch, list):
        return [_merged(item) for item in patch]
    if not isinstance(patch, dict):
        return patch
    ordered = {key.removeprefix(SET_ORDER) for key in patch if key.startswith(SET_ORDER)}
    gone = {*ordered, *(SET_ORDER + key for key in ordered), RETAIN_KEYS}
    return {key: _merged(value) for key, value in patch.items() if key not in gone}


def go_value(value: Any) -> str:
    """JSON data as Go's %v prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{k}:{go_value(v)}' for k, v in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_value, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def encode(obj: Any) -> bytes:
    """The JSON bytes of an object."""
    return orjson.dumps(obj)


def copy(obj: Any) -> Any:
    """A deep copy of JSON data; faster than copy.deepcopy by an order of magnitude."""
    return orjson.loads(orjson.dumps(obj))


def _check_type_meta(obj: Any, kind: str, api_version: str) -> None:
    if unreadable := type_problem(obj):
        raise _unrecognized(kind, unreadable)
    given_version, given_kind = obj.get("apiVersion"), obj.get("kind")
    if given_kind and given_kind != kind:
        message = (
            f'{given_kind} in version "{(given_version or api_version).rpartition("/")[2]}" '
            f"cannot be handled as a {kind}: converting ({given_version or api_version}.{given_kind}) "
            f"to ({api_version}.{kind}): unknown conversion"
        )
        raise errors.bad_request(message)
    if given_version and given_version != api_version:
        raise errors.bad_request(
            f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        )


def _clears_managed_fields(obj: Object) -> bool:
    """Whether managedFields are given and empty, which clears them; decoding leaves empty lists out."""
    metadata = obj.get("metadata")
    return isinstance(metadata, dict) and metadata.get("managedFields") == []


def _check_custom_type(obj: Any, kind: str, api_version: str, body: bytes) -> str:
    """The kind that the body says."""
    if unreadable := type_problem(obj):
        raise _unrecognized(kind, unreadable)
    given_version, given_kind = obj.get("apiVersion"), obj.get("kind")
    if not given_kind:
        text = body.decode("utf-8", "replace")
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{text}' ({_summary(body)})")
    if given_version != api_version:
        told = f"the API version in the data ({given_version or ''})"
        raise errors.bad_request(f"{told} does not match the expected API version ({api_version})")
    return str(given_kind)


def _summary(body: bytes, limit: int = 30) -> str:
    """The beginning of a body, as error messages quote it."""
    if not body:
        return "<empty>"
    more = " ..." if len(body) > limit else ""
    begin = body[:limit]
    return (begin.decode("utf-8", "replace") if body.startswith(b"{") else begin.hex()) + more


def _may_repeat_keys(body: bytes, keys: int) -> bool:
    """False only when it is certain that no object in the text has a key twice.

    Every key is followed by `":`, so as many of these as there are keys in the result leave no room for another;
    space before a colon spoils the count.
    """
    return body.count(b'":') != keys or b'" :' in body


def _decode_with_duplicates(decoder: Decoder, body: bytes) -> tuple[Object, DecodeProblems]:
    obj, repeated = _parse_with_duplicates(body)
    met = decoder(obj or {}, DecodeProblems(repeated))
    met.problems = in_document_order(body, met.problems, met.names, unknown_field, duplicate_field)
    return obj or {}, met


def _parse_with_duplicates(body: bytes) -> tuple[Any, dict[int, list[str]]]:
    repeated: dict[int, list[str]] = {}

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            seen: set[str] = set()
            repeated[id(made)] = list(dict.fromkeys(k for k, _ in pairs if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
        return made

    return json.loads(body, object_pairs_hook=build), repeated


def _find_duplicates(value: Any, path: str, repeated: dict[int, list[str]], found: list[str]) -> None:
    if len(found) >= MAX_PROBLEMS:
        return
    if isinstance(value, dict):
        repeats = repeated.get(id(value), ())[: MAX_PROBLEMS - len(found)]
        found += [f'duplicate field "{path}{key}"' for key in repeats]
        for key, item in value.items():
            _find_duplicates(item, f"{path}{key}.", repeated, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _find_duplicates(item, f"{path.removesuffix('.')}[{index}].", repeated, found)


def _unrecognized(kind: str, message: str) -> StatusError:
    return errors.bad_request(f"the object provided is unrecognized (must be of type {kind}): {message}")


def _cannot_handle(kind: str, api_version: str, message: str) -> StatusError:
    version = api_version.rpartition("/")[2]
    return errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {message}')


def _invalid_patch(patch: str, message: str) -> StatusError:
    return errors.invalid("", "", [errors.FieldError("FieldValueInvalid", "patch", message, patch)])
