"""What every answer must be, whatever was sent."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from kubeactors.api.protobuf import decode_object
from tests.fuzz.client import Answer

#: The reasons that go with a code (apimachinery, types.go and NewGenericServerResponse).
REASONS = {
    400: {"BadRequest"},
    401: {"Unauthorized"},
    403: {"Forbidden"},
    404: {"NotFound"},
    405: {"MethodNotAllowed"},
    406: {"NotAcceptable"},
    409: {"Conflict", "AlreadyExists"},
    410: {"Gone", "Expired"},
    413: {"RequestEntityTooLarge"},
    415: {"UnsupportedMediaType"},
    422: {"Invalid"},
    429: {"TooManyRequests"},
    501: {"NotImplemented"},
    503: {"ServiceUnavailable"},
    504: {"Timeout"},
}
#: Errors that Kubernetes too does not turn into an API error: 500 without a reason, and in these words.
KNOWN_500 = re.compile(
    r"failed to create (typed patch object|manager for existing fields)|failed to convert new object"
    r"|list element types are not identical|The order in patch list|expected a (\[\]|map\[string\])interface \{\}"
    r"|unknown patch type|does not contain declared merge key|no elements in any|merging lists cannot yet be specified"
    r"|cannot merge lists without merge key|unable to find api field in struct|but data type is not struct"
    r"|^strconv\.ParseUint: parsing"
    r"|duplicate nodePort|more than one PodDisruptionBudget|target\.(name|kind): "
    r"|duplicate entries for key|^Component not found: "
    r"|^resourceVersion should not be set on objects to be created",
    re.DOTALL,
)
_LEAKED = re.compile(
    r"Traceback|\.py\b|\bobject at 0x|NoneType|RecursionError|(?:Key|Type|Value|Attribute|Index|Unicode\w+)Error\b"
)
# What Go's mux and HTTP server answer in words.
_PLAIN = {404: b"404 page not found", 400: b"400 Bad Request", 431: b"431 Request Header Fields Too Large"}


def check(answer: Answer, sent: Any = "") -> Answer:
    """Raises AssertionError for an answer that no request deserves. `sent` is told then."""
    about = f"{sent!r:.2000} was answered {answer.status} {answer.body[:1500]!r}"
    assert answer.status, f"no answer: {about}"
    if answer.status < 400:
        return answer
    if answer.body.startswith(_PLAIN.get(answer.status, b"\0")):
        return answer
    status = _document(answer, about)
    assert status.get("kind") == "Status" and status.get("apiVersion") == "v1", about
    assert status.get("status") == "Failure" and status.get("code") == answer.status, about
    message, reason = status.get("message"), status.get("reason", "")
    assert isinstance(message, str) and message, f"no message: {about}"
    leaked = _LEAKED.search(message)
    assert leaked is None or leaked[0] in str(sent), f"tells what is inside: {about}"
    if answer.status == 500:
        assert not reason and KNOWN_500.search(message), f"an internal error: {about}"
    else:
        assert reason in REASONS.get(answer.status, ()), f"wrong reason: {about}"
    return answer


def _document(answer: Answer, about: str) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "")
    if "yaml" in kind:
        loaded = yaml.safe_load(answer.body)
    elif "protobuf" in kind:
        loaded = decode_object(answer.body, "io.k8s.apimachinery.pkg.apis.meta.v1.Status")
    else:
        assert kind.startswith("application/json"), f"no Status: {about}"
        loaded = json.loads(answer.body)
    assert isinstance(loaded, dict), about
    return loaded


def check_log(text: str) -> None:
    """Raises AssertionError where a server wrote of something that it did not expect."""
    for sign in ("Traceback (most recent call last)", "unhandled error", "never retrieved", "Unhandled"):
        at = text.find(sign)
        assert at < 0, f"the server's log says:\n{text[max(0, at - 1000) : at + 4000]}"
