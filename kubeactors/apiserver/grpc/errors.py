"""Kubernetes' failures as gRPC status codes, with the Status itself in the trailing metadata."""

from __future__ import annotations

import grpc

from kubeactors.api.errors import StatusError
from kubeactors.apiserver.grpc.convert import status_bytes

STATUS_METADATA = "kubeactors-status-bin"

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
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def grpc_code(error: StatusError) -> grpc.StatusCode:
    """The nearest gRPC code. AlreadyExists has its own; every other 409 is a conflict of versions."""
    if error.reason == "AlreadyExists":
        return grpc.StatusCode.ALREADY_EXISTS
    return _CODES.get(error.code, grpc.StatusCode.INTERNAL)


def trailing_metadata(error: StatusError) -> tuple[tuple[str, bytes], ...]:
    """What goes with the code: the whole Status as JSON."""
    return ((STATUS_METADATA, status_bytes(error)),)
