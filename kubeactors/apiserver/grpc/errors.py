"""Kubernetes' failures as gRPC status codes, with the Status itself beside them (the comment that begins api.proto)."""

from __future__ import annotations

from typing import Any

import grpc
import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb
from google.rpc import status_pb2

from kubeactors.api.errors import StatusError
from kubeactors.pb.api.v1 import api_pb2 as pb

STATUS_METADATA = "kubeactors-status-bin"
DETAILS_METADATA = "grpc-status-details-bin"
DOMAIN = "kubernetes.io"

#: A Status in metadata has at most about so many bytes: clients refuse more than 8 KiB of metadata in all.
_MAX_STATUS = 1200

_CODES: dict[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    406: grpc.StatusCode.INVALID_ARGUMENT,
    409: grpc.StatusCode.ABORTED,
    410: grpc.StatusCode.OUT_OF_RANGE,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def grpc_code(error: StatusError) -> grpc.StatusCode:
    """The nearest gRPC code. AlreadyExists has its own; every other 409 is a conflict of versions."""
    if error.reason == "AlreadyExists":
        return grpc.StatusCode.ALREADY_EXISTS
    return _CODES.get(error.code, grpc.StatusCode.INTERNAL)


def status_message(status: dict[str, Any]) -> pb.Status:
    """A Status document as the message."""
    details = status.get("details") or {}
    message = pb.Status(
        code=status.get("code") or 500, reason=status.get("reason") or "", message=status.get("message") or ""
    )
    if details:
        message.details.CopyFrom(
            pb.StatusDetails(
                name=details.get("name") or "",
                group=details.get("group") or "",
                kind=details.get("kind") or "",
                uid=details.get("uid") or "",
                causes=[
                    pb.StatusCause(
                        reason=cause.get("reason") or "",
                        message=cause.get("message") or "",
                        field=cause.get("field") or "",
                    )
                    for cause in details.get("causes") or ()
                ],
                retry_after_seconds=details.get("retryAfterSeconds") or 0,
            )
        )
    return message


def shortened(status: dict[str, Any], limit: int = _MAX_STATUS) -> dict[str, Any]:
    """A Status whose JSON has about `limit` bytes at most: the message is cut, and the last causes are left out."""
    if len(orjson.dumps(status)) <= limit:
        return status
    text = str(status.get("message") or "")
    if len(text.encode()) > limit // 3:
        text = text.encode()[: limit // 3].decode(errors="ignore") + "…"
    status = {**status, "message": text}
    details = dict(status.get("details") or {})
    causes = details.pop("causes", None) or []
    room = limit - len(orjson.dumps({**status, "details": details}))
    kept = []
    for cause in causes:
        room -= len(orjson.dumps(cause)) + 1
        if room < 0:
            break
        kept.append(cause)
    if kept:
        details["causes"] = kept
    if details:
        status["details"] = details
    return status


def trailing_metadata(error: StatusError) -> tuple[tuple[str, bytes], ...]:
    """What goes with the code: a google.rpc.Status, and Kubernetes' Status as JSON."""
    status = shortened(error.status)
    return (
        (DETAILS_METADATA, _rpc_status(error, status).SerializeToString()),
        (STATUS_METADATA, orjson.dumps(status)),
    )


def message_of(error: StatusError) -> str:
    """The text beside the code, no longer than metadata should be."""
    return str(shortened(error.status).get("message") or "")


def _rpc_status(error: StatusError, status: dict[str, Any]) -> status_pb2.Status:
    message = status_message(status)
    details = message.details
    about = {"name": details.name, "group": details.group, "kind": details.kind, "uid": details.uid}
    found: list[Message] = [
        message,
        details_pb.ErrorInfo(
            reason=message.reason, domain=DOMAIN, metadata={key: value for key, value in about.items() if value}
        ),
    ]
    violations = [
        details_pb.BadRequest.FieldViolation(field=cause.field, description=cause.message, reason=cause.reason)
        for cause in details.causes
        if cause.field
    ]
    if violations:
        found.append(details_pb.BadRequest(field_violations=violations))
    if details.retry_after_seconds:
        found.append(details_pb.RetryInfo(retry_delay=Duration(seconds=details.retry_after_seconds)))
    code: int = grpc_code(error).value[0]
    return status_pb2.Status(code=code, message=message.message, details=[_packed(each) for each in found])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
