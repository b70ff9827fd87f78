"""One entry for the three kinds of patches, with the statuses that Kubernetes answers when a patch is bad."""

from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.codec import IGNORE, WARN, parse_json, type_problem
from kubeactors.api.errors import StatusError
from kubeactors.api.go_order import sorted_throughout
from kubeactors.api.go_values import go_json
from kubeactors.api.meta import Object
from kubeactors.api.patch.json_patch import JsonPatchError, apply_json_patch
from kubeactors.api.patch.merge_patch import apply_merge_patch
from kubeactors.api.patch.strategic import (
    BadPatchFormatError,
    StrategicPatchError,
    UnmergeablePatchError,
    apply_strategic_patch,
)
from kubeactors.api.schema.mismatch import mismatch_text
from kubeactors.api.schema.types import Struct

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
PATCH_TYPES: Final = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH)

MAX_OPERATIONS: Final = 10_000


def apply_patch(
    content_type: str, current: Object, patch: bytes, schema: Struct | None, field_validation: str = WARN
) -> Object:
    """The object that a patch makes of `current`, not yet checked against the schema. `current` may be changed.

    `schema` is needed by strategic merge patches only; without one (custom resources) they answer 415. Patches that are
    none are refused in other words when fields are not validated: another reader reads them. Raises StatusError.
    """
    if content_type not in PATCH_TYPES or (content_type == STRATEGIC_MERGE_PATCH and schema is None):
        raise errors.unsupported_media_type(None)
    lenient = field_validation == IGNORE
    if content_type == JSON_PATCH:
        operations = _parse(patch, "" if lenient else "error decoding patch: ")
        if lenient:
            _check_operations_leniently(operations)
        else:
            _check_operations(operations)
        return _object(_json(current, operations))
    if content_type == MERGE_PATCH:
        parsed = _parse_leniently(patch) if lenient else _parse(patch, "error decoding patch: ")
        if parsed is None or (lenient and not isinstance(parsed, dict | list)):
            raise errors.bad_request(_NO_MERGE_PATCH)
        if not lenient and not isinstance(parsed, dict):
            raise errors.bad_request(f"error decoding patch: {mismatch_text(parsed, _GO_MAP)}")
        return _object(apply_merge_patch(current, parsed))
    parsed = _parse(patch)
    if parsed is None:
        return current
    if not isinstance(parsed, dict):
        raise errors.bad_request(mismatch_text(parsed, _GO_MAP))
    assert schema is not None
    try:
        return apply_strategic_patch(current, parsed, schema)
    except UnmergeablePatchError:
        raise _rejected() from None
    except BadPatchFormatError as error:
        raise errors.bad_request(str(error)) from None
    except StrategicPatchError as error:
        raise errors.unknown(str(error)) from None


def _object(result: Any) -> Object:
    """What a patch made, if it is an object. Raises StatusError (422)."""
    if isinstance(result, dict):
        return result
    text = go_json(sorted_throughout(result))
    raise errors.invalid("", "", [errors.FieldError("FieldValueInvalid", "patch", type_problem(result), text)])


def _parse(patch: bytes, prefix: str = "") -> Any:
    try:
        return parse_json(patch)
    except ValueError as error:
        raise errors.bad_request(f"{prefix}{error}") from None


def _parse_leniently(patch: bytes) -> Any:
    try:
        return parse_json(patch)
    except ValueError:
        raise errors.bad_request(_NO_MERGE_PATCH) from None


_NO_MERGE_PATCH: Final = "Invalid JSON Patch"
_GO_MAP: Final = "map[string]interface {}"


#: The text members of an operation; `value` is anything.
_OPERATION_TEXTS: Final = ("op", "path", "from")


def _check_operations(operations: Any) -> None:
    """Raises StatusError where the strict reader finds no list of operations."""
    if operations is None:
        return
    if not isinstance(operations, list):
        raise errors.bad_request(f"error decoding patch: {mismatch_text(operations, '[]handlers.jsonPatchOp')}")
    for operation in operations:
        if operation is not None and not isinstance(operation, dict):
            raise errors.bad_request(f"error decoding patch: {mismatch_text(operation, 'handlers.jsonPatchOp')}")
        for name in _OPERATION_TEXTS:
            value = (operation or {}).get(name)
            if value is not None and not isinstance(value, str):
                wrong = mismatch_text(value, "string", f"struct field jsonPatchOp.{name}")
                raise errors.bad_request(f"error decoding patch: {wrong}")


def _check_operations_leniently(operations: Any) -> None:
    """The same for the reader that takes members for what they are."""
    if operations is None:
        return
    if not isinstance(operations, list):
        raise errors.bad_request(mismatch_text(operations, "jsonpatch.Patch"))
    for operation in operations:
        if operation is not None and not isinstance(operation, dict):
            raise errors.bad_request(mismatch_text(operation, "jsonpatch.Operation"))


def _json(current: Object, operations: list[dict[str, Any] | None] | None) -> Any:
    if operations is None:
        return current
    if len(operations) > MAX_OPERATIONS:
        raise errors.too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    try:
        return apply_json_patch(current, [operation or {} for operation in operations])
    except JsonPatchError:
        raise _rejected() from None


def _rejected() -> StatusError:
    message = "the server rejected our request due to an error in our request"
    return StatusError(errors.status_failure(422, "Invalid", message, {}))
