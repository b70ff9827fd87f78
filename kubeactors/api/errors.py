"""API errors: a metav1.Status as an exception, and constructors with Kubernetes' wording.

`resource` arguments are the qualified resource of messages: the plural with its group, `deployments.apps`, or just
`pods` in the core group; `Kind.qualified_resource` gives it. `kind` arguments are qualified kinds: `Deployment.apps`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from kubeactors.api.fielderrors import FieldError, aggregate, go_quote

#: Characters that the causes of one refusal come to; no further cause is told then.
MAX_TOLD: Final = 4 * 1024 * 1024

__all__ = [
    "AlreadyExists",
    "Cause",
    "Conflict",
    "Expired",
    "FieldError",
    "Forbidden",
    "Invalid",
    "NotFound",
    "StatusError",
    "Unauthorized",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "from_status",
    "generate_name_conflict",
    "gone",
    "internal",
    "invalid",
    "method_not_allowed",
    "method_not_supported",
    "not_acceptable",
    "not_found",
    "resource_not_found",
    "server_timeout",
    "service_unavailable",
    "status_failure",
    "timeout",
    "too_large",
    "too_large_object",
    "too_many_requests",
    "unauthorized",
    "unknown",
    "unsupported_media_type",
]


class Cause(TypedDict, total=False):
    """One thing that is wrong: the field's path ("spec.replicas"), a word for programs, and what to mend."""

    field: str
    reason: str
    message: str


class StatusError(Exception):
    """A failed API call. `status` is the metav1.Status that goes over the wire.

    `StatusError(status)` is an instance of the subclass for the status' reason, where there is one: `NotFound`, …
    """

    def __new__(cls, *arguments: Any) -> "StatusError":
        status = arguments[0] if arguments else None
        if cls is StatusError and isinstance(status, dict):
            made = _BY_REASON.get(status.get("reason") or _REASONS.get(status.get("code") or 0, ""), cls)
        else:
            made = cls
        return super().__new__(made, *arguments)

    def __init__(self, status: dict[str, Any]) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return int(self.status.get("code") or 500)

    @property
    def reason(self) -> str:
        """A word for programs, such as NotFound; empty when the server gave none."""
        return str(self.status.get("reason") or "")

    @property
    def message(self) -> str:
        return str(self.status.get("message") or "")

    @property
    def details(self) -> dict[str, Any]:
        return self.status.get("details") or {}

    @property
    def causes(self) -> list[Cause]:
        """Field by field what is wrong."""
        return self.details.get("causes") or []

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field: its path → the message, or several joined by "; "."""
        found: dict[str, str] = {}
        for cause in self.causes:
            field, message = cause.get("field", ""), cause.get("message", "")
            found[field] = f"{found[field]}; {message}" if field in found else message
        return found

    @property
    def is_of_another(self) -> bool:
        """Whether a write that named a uid met another object of the same name.

        Kubernetes answers Conflict to updates and deletes, and to patches that the uid is immutable.
        """
        return self.code == 409 or any(cause.get("field") == "metadata.uid" for cause in self.causes)

    @property
    def retry_after_seconds(self) -> int | None:
        return self.details.get("retryAfterSeconds")

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type["StatusError"], tuple[dict[str, Any]]]:
        return StatusError, (self.status,)


class Unauthorized(StatusError):
    """401: the server does not know who asks."""


class Forbidden(StatusError):
    """403: who asks may not do that."""


class NotFound(StatusError):
    """404: there is no such object, or no such resource."""


class AlreadyExists(StatusError):
    """409: an object of that name exists."""


class Conflict(StatusError):
    """409: the object has changed since it was read, or another manager owns the field. Read again, then repeat."""


class Expired(StatusError):
    """410: the server has forgotten the version that a watch or a page is to go on from. List again."""


class Invalid(StatusError):
    """422: the object breaks a rule; `fields` and `causes` say which."""


_BY_REASON: Mapping[str, type[StatusError]] = {
    **{each.__name__: each for each in (Unauthorized, Forbidden, NotFound, AlreadyExists, Conflict, Expired, Invalid)},
    "Gone": Expired,
}
_REASONS: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
}
"""The reason of an answer that gives none, by its code."""


def status_failure(
    code: int,
    reason: str,
    message: str,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A metav1.Status of a failure. An empty `details` is kept, None is left out."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
    }
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return status


def from_status(status: dict[str, Any]) -> StatusError:
    """The exception for a Status that a server answered."""
    return StatusError(status)


def not_found(resource: str, name: str) -> StatusError:
    return _about(404, "NotFound", f"{resource} {go_quote(name)} not found", resource, name)


def resource_not_found() -> StatusError:
    """The answer to a resource that the server does not know (NewGenericServerResponse)."""
    return _failure(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, name: str) -> StatusError:
    return _about(409, "AlreadyExists", f"{resource} {go_quote(name)} already exists", resource, name)


def generate_name_conflict(resource: str, name: str) -> StatusError:
    message = (
        f"{resource} {go_quote(name)} already exists, the server was not able to generate a unique name for the object"
    )
    return _about(409, "AlreadyExists", message, resource, name, retryAfterSeconds=1)


def conflict(
    resource: str,
    name: str,
    message: str = "the object has been modified; please apply your changes to the latest version and try again",
) -> StatusError:
    text = f"Operation cannot be fulfilled on {resource} {go_quote(name)}: {message}"
    return _about(409, "Conflict", text, resource, name)


def invalid(kind: str, name: str, causes: Sequence[FieldError]) -> StatusError:
    """422 with every field error in the message and in details.causes; `kind` is the qualified kind."""
    message = f"{kind} {go_quote(name)} is invalid"
    told = _told(causes)
    if told:
        message = f"{message}: {aggregate(f'{field}: {text}' for _, field, text in told)}"
    plain, _, group = kind.partition(".")
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if plain:
        details["kind"] = plain
    if told:
        details["causes"] = [{"reason": reason, "message": text, "field": field} for reason, field, text in told]
    return _failure(422, "Invalid", message, details)


def _told(causes: Sequence[FieldError]) -> list[tuple[str, str, str]]:
    """Reason, field and text of the causes, as many as an answer may hold: each of many may show the whole list."""
    told: list[tuple[str, str, str]] = []
    size = 0
    for cause in causes:
        text = cause.body()
        told.append((cause.type, cause.field, text))
        size += len(text)
        if size > MAX_TOLD:
            break
    return told


def bad_request(message: str) -> StatusError:
    return _failure(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return _failure(401, "Unauthorized", message)


def forbidden(resource: str, name: str, message: str) -> StatusError:
    if not resource:
        text = f"forbidden: {message}"
    elif not name:
        text = f"{resource} is forbidden: {message}"
    else:
        text = f"{resource} {go_quote(name)} is forbidden: {message}"
    return _about(403, "Forbidden", text, resource, name)


def method_not_allowed() -> StatusError:
    """A method that the resource does not have (NewGenericServerResponse)."""
    return _failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def method_not_supported(resource: str, action: str) -> StatusError:
    text = f"{action} is not supported on resources of kind {go_quote(resource)}"
    return _about(405, "MethodNotAllowed", text, resource, "")


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    text = f"406: Not Acceptable\n\nAvailable representations: {', '.join(accepted)}"
    return _failure(406, "NotAcceptable", text, {})


def unsupported_media_type(accepted: Sequence[str] | None) -> StatusError:
    """For bodies that are to be decoded `accepted` lists the media types; for patches pass None."""
    if accepted is None:
        return _failure(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    text = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return _failure(415, "UnsupportedMediaType", text)


def gone(message: str) -> StatusError:
    return _failure(410, "Gone", message)


def expired(message: str) -> StatusError:
    """410 with the reason that tells watchers and pagers to start again."""
    return _failure(410, "Expired", message)


def too_large(message: str) -> StatusError:
    return _failure(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def too_large_object(size: int, limit: int) -> StatusError:
    """What is sent when the store refuses an object's size in bytes."""
    return too_large(f"object of {size} bytes exceeds the limit of {limit} bytes")


def too_many_requests(message: str, retry_after_seconds: int = 1) -> StatusError:
    return _failure(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after_seconds})


def internal(cause: str | BaseException) -> StatusError:
    text = str(cause)
    return _failure(500, "InternalError", f"Internal error occurred: {text}", {"causes": [{"message": text}]})


def unknown(message: str) -> StatusError:
    """500 without a reason: what Kubernetes answers for an error that is no API error."""
    return StatusError(status_failure(500, "", message))


def server_timeout(resource: str, operation: str, retry_after_seconds: int = 0) -> StatusError:
    text = f"The {operation} operation against {resource} could not be completed at this time, please try again."
    return _about(500, "ServerTimeout", text, resource, operation, retryAfterSeconds=retry_after_seconds or None)


def timeout(message: str, retry_after_seconds: int = 0) -> StatusError:
    details = {"retryAfterSeconds": retry_after_seconds} if retry_after_seconds else {}
    return _failure(504, "Timeout", f"Timeout: {message}", details)


def service_unavailable(message: str) -> StatusError:
    return _failure(503, "ServiceUnavailable", message)


def _failure(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> StatusError:
    return StatusError(status_failure(code, reason, message, details))


def _about(code: int, reason: str, message: str, resource: str, name: str, **extra: Any) -> StatusError:
    plural, _, group = resource.partition(".")
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    details.update({k: v for k, v in extra.items() if v is not None})
    return _failure(code, reason, message, details)
