"""Reading and checking the options of a request: the query of a URL, DeleteOptions in a body."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any

from kubeactors.api import errors, fielderrors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.table import check_include_object
from kubeactors.api.validation.metadata import field_manager_errors
from kubeactors.apiserver.request import APPLY_PATCH, NO_OPTIONS, IncludeObject, LogOptions, Options, Request

_GROUP = ".meta.k8s.io"
_DIGITS = re.compile(r"[-+]?[0-9]+")
_LONGEST = 20  # of a number of 64 bits, with its sign


# --- the query of a URL


def _string(text: str) -> str:
    return text


def _integer(text: str) -> int:
    return _int64(text) if text else 0


def _optional_integer(text: str) -> int | None:
    return _int64(text) if text else None


def _int64(text: str) -> int:
    """As strconv.ParseInt, which is stricter than int()."""
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"strconv.ParseInt: parsing {fielderrors.go_quote(text)}: invalid syntax")
    if len(text) > _LONGEST or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"strconv.ParseInt: parsing {fielderrors.go_quote(text)}: value out of range")
    return int(text)


def _boolean(text: str) -> bool:
    """apimachinery's queryparams take anything but "false" and "0" for true, the empty string included."""
    return text.lower() not in ("false", "0")


_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "labelSelector": ("label_selector", _string),
    "fieldSelector": ("field_selector", _string),
    "resourceVersion": ("resource_version", _string),
    "resourceVersionMatch": ("resource_version_match", _string),
    "limit": ("limit", _integer),
    "continue": ("continue_", _string),
    "timeoutSeconds": ("timeout_seconds", _optional_integer),
    "allowWatchBookmarks": ("allow_watch_bookmarks", _boolean),
    "sendInitialEvents": ("send_initial_events", _boolean),
    "fieldManager": ("field_manager", _string),
    "fieldValidation": ("field_validation", _string),
    "force": ("force", _boolean),
    "gracePeriodSeconds": ("grace_period_seconds", _optional_integer),
    "orphanDependents": ("orphan_dependents", _boolean),
    "propagationPolicy": ("propagation_policy", _string),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("ignore_store_read_error", _boolean),
}
_LOG_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "container": ("container", _string),
    "follow": ("follow", _boolean),
    "previous": ("previous", _boolean),
    "timestamps": ("timestamps", _boolean),
    "tailLines": ("tail_lines", _optional_integer),
    "sinceSeconds": ("since_seconds", _optional_integer),
    "sinceTime": ("since_time", _string),
    "limitBytes": ("limit_bytes", _optional_integer),
    "stream": ("stream", _string),
}


def parse_query(query: Iterable[tuple[str, str]], *, logs: bool = False) -> Options:
    """The options in a URL's decoded query; parameters that are no options are ignored, of a repeated one the first
    counts. `logs`: the query of pods/log. Raises StatusError (400) for values that cannot be read."""
    values: dict[str, Any] = {}
    log: dict[str, Any] = {}
    dry_run: list[str] = []
    for name, text in query:
        if name == "dryRun":
            dry_run.append(text)
            continue
        if name == "includeObject":
            values.setdefault("include_object", _include_object(text))
            continue
        known = _OPTIONS.get(name)
        target = values
        if known is None and logs:
            known = _LOG_OPTIONS.get(name)
            target = log
        if known is None or known[0] in target:
            continue
        try:
            target[known[0]] = known[1](text)
        except ValueError as error:
            raise errors.bad_request(str(error)) from None
    if dry_run:
        values["dry_run"] = tuple(dry_run)
    if logs:
        values["log"] = LogOptions(**log)
    return Options(**values) if values else NO_OPTIONS


def query_of(options: Options) -> list[tuple[str, str]]:
    """The query that says the same, as `parse_query` reads it (without those of logs and tables)."""
    found = [("dryRun", each) for each in options.dry_run]
    for name, (attribute, _) in _OPTIONS.items():
        value = getattr(options, attribute)
        if isinstance(value, bool):
            if value or value is not getattr(NO_OPTIONS, attribute):
                found.append((name, str(value).lower()))
        elif value != getattr(NO_OPTIONS, attribute):
            found.append((name, str(value)))
    return found


def _include_object(text: str) -> IncludeObject:
    if not text:
        return IncludeObject.METADATA
    check_include_object(text)
    return IncludeObject(text)


# --- lists and watches


def check_list(options: Options, *, watch: bool) -> None:
    """metav1.ListOptions as apimachinery's ValidateListOptions sees them. Raises StatusError (422)."""
    if not options.resource_version_match and options.send_initial_events is None:
        return
    found = _check_watch(options) if watch else _check_list(options)
    if found:
        raise errors.invalid("ListOptions" + _GROUP, "", found)


_MATCH = "resourceVersionMatch"
_WITH_CONTINUE = fielderrors.forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided")


def _check_list(options: Options) -> list[FieldError]:
    found: list[FieldError] = []
    match = options.resource_version_match
    if match:
        if not options.resource_version:
            message = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            found.append(fielderrors.forbidden(_MATCH, message))
        if options.continue_:
            found.append(_WITH_CONTINUE)
        if match not in ("Exact", "NotOlderThan"):
            # Not sorted, as those of other fields are.
            message = 'supported values: "Exact", "NotOlderThan", ""'
            found.append(FieldError(fielderrors.NOT_SUPPORTED, _MATCH, message, match))
        if match == "Exact" and options.resource_version == "0":
            message = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            found.append(fielderrors.forbidden(_MATCH, message))
    if options.send_initial_events is not None:
        found.append(fielderrors.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return found


def _check_watch(options: Options) -> list[FieldError]:
    found: list[FieldError] = []
    match = options.resource_version_match
    if options.send_initial_events is not None and match != "NotOlderThan":
        message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(fielderrors.forbidden(_MATCH, message))
    if match:
        if options.send_initial_events is None:
            message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            found.append(fielderrors.forbidden(_MATCH, message))
        if match != "NotOlderThan":
            found.append(fielderrors.not_supported(_MATCH, match, ["NotOlderThan"]))
        if options.continue_:
            found.append(_WITH_CONTINUE)
    return found


def parse_version(text: str) -> int:
    """A resourceVersion in options of a read; empty is 0. Raises StatusError (400)."""
    if not text:
        return 0
    problem = "invalid syntax"
    if text.isascii() and text.isdigit():
        if len(text) <= _LONGEST and int(text) < 2**64:
            return int(text)
        problem = "value out of range"
    told = f"strconv.ParseUint: parsing {fielderrors.go_quote(text)}: {problem}"
    reason = fielderrors.invalid("resourceVersion", text, told)
    raise errors.bad_request(f"invalid resource version: {reason}")


# --- writes

_WRITE_KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")


def check_write(request: Request) -> None:
    """CreateOptions, UpdateOptions and PatchOptions. Raises StatusError (422)."""
    options = request.options
    applies = request.content_type == APPLY_PATCH and request.verb == "patch"
    if options is NO_OPTIONS and not applies:
        return
    found: list[FieldError] = []
    if applies and not options.field_manager:
        found.append(fielderrors.required("fieldManager", "is required for apply patch"))
    if request.verb == "patch" and options.force is not None and not applies:
        found.append(fielderrors.forbidden("force", "may not be specified for non-apply patch"))
    found += field_manager_errors(options.field_manager, "fieldManager")
    found += _check_dry_run(options.dry_run)
    if options.field_validation not in _VALIDATIONS:
        found.append(fielderrors.not_supported("fieldValidation", options.field_validation, _VALIDATIONS))
    if found:
        raise errors.invalid(_WRITE_KINDS[request.verb] + _GROUP, "", found)


def _check_dry_run(dry_run: tuple[str, ...]) -> list[FieldError]:
    if all(each == "All" for each in dry_run):
        return []
    return [fielderrors.FieldError(fielderrors.NOT_SUPPORTED, "dryRun", 'supported values: "All"', list(dry_run))]


# --- deletes

DELETE_MEDIA_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


@dataclasses.dataclass(slots=True)
class DeleteOptions:
    """meta/v1 DeleteOptions. `precondition_uid` and `_version`: None when not given."""

    grace_period_seconds: int | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    dry_run: tuple[str, ...] = ()
    precondition_uid: str | None = None
    precondition_version: str | None = None

    def check(self) -> None:
        """Raises StatusError (422)."""
        found: list[FieldError] = []
        if self.propagation_policy and self.orphan_dependents is not None:
            value = self.propagation_policy
            message = "orphanDependents and deletionPropagation cannot be both set"
            found.append(fielderrors.invalid("propagationPolicy", value, message))
        if self.propagation_policy not in ("", "Foreground", "Background", "Orphan"):
            supported = ["Foreground", "Background", "Orphan", "nil"]
            message = "supported values: " + ", ".join(fielderrors.go_quote(each) for each in supported)
            found.append(FieldError(fielderrors.NOT_SUPPORTED, "propagationPolicy", message, self.propagation_policy))
        found += _check_dry_run(self.dry_run)
        if found:
            raise errors.invalid("DeleteOptions" + _GROUP, "", found)


def delete_options(request: Request, decode: Callable[[bytes, str], Any]) -> DeleteOptions:
    """From the body if there is one, else from the query. `decode` reads a body of a media type.

    Raises StatusError: 400 for a body that is no DeleteOptions, 422 for values that are not allowed.
    """
    if not request.body:
        options = request.options
        # The query's resourceVersion is the precondition's: apimachinery reads nested options flat.
        found = DeleteOptions(
            options.grace_period_seconds,
            options.orphan_dependents,
            options.propagation_policy,
            options.dry_run,
            None,
            options.resource_version or None,
        )
    else:
        found = delete_options_of(decode(request.body, request.content_type))
    found.check()
    return found


def delete_options_of(body: Any) -> DeleteOptions:
    if body is None:
        return DeleteOptions()
    if not isinstance(body, dict) or body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise _bad_delete_options("it is of another kind")
    grace = body.get("gracePeriodSeconds")
    orphan = body.get("orphanDependents")
    policy = body.get("propagationPolicy") or ""
    dry_run = body.get("dryRun") or []
    preconditions = body.get("preconditions") or {}
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise _bad_delete_options("gracePeriodSeconds is not an integer")
    if orphan is not None and not isinstance(orphan, bool):
        raise _bad_delete_options("orphanDependents is not a boolean")
    if not isinstance(policy, str):
        raise _bad_delete_options("propagationPolicy is not a string")
    if not isinstance(dry_run, list) or not all(isinstance(each, str) for each in dry_run):
        raise _bad_delete_options("dryRun is not a list of strings")
    if not isinstance(preconditions, dict):
        raise _bad_delete_options("preconditions is not an object")
    uid, version = preconditions.get("uid"), preconditions.get("resourceVersion")
    if not isinstance(uid, str | None) or not isinstance(version, str | None):
        raise _bad_delete_options("a precondition is not a string")
    return DeleteOptions(grace, orphan, policy, tuple(dry_run), uid, version)


def _bad_delete_options(what: str) -> StatusError:
    return errors.bad_request(f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: {what}')
