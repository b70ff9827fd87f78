"""What all reviews have in common: reading the question, writing the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kubeactors.api import codec
from kubeactors.api.meta import Object
from kubeactors.apiserver.options import check_write
from kubeactors.apiserver.registry.writes import check_namespace
from kubeactors.apiserver.request import Request, Response, UserInfo


def question(request: Request) -> codec.Decoded:
    """The object in the body, with metadata and spec. Raises StatusError (400, 415, 422)."""
    check_write(request)
    decoded = codec.decode(
        request.kind,
        request.body,
        content_type=request.content_type,
        field_validation=request.options.field_validation or codec.WARN,
    )
    check_namespace(decoded.obj, request.namespace if request.kind.namespaced else "")
    decoded.obj["spec"] = decoded.obj.get("spec") or {}
    return decoded


def answer(request: Request, parts: Mapping[str, Any], warnings: Sequence[str] = ()) -> Response:
    """The review with its status."""
    kind = request.kind
    document: Object = {"kind": kind.kind, "apiVersion": kind.api_version, **parts}
    return Response(201, orjson.dumps(document), warnings=warnings)


def user_document(user: UserInfo) -> Object:
    """UserInfo of authentication.k8s.io/v1; empty fields are left out."""
    document: Object = {}
    if user.name:
        document["username"] = user.name
    if user.uid:
        document["uid"] = user.uid
    if user.groups:
        document["groups"] = list(user.groups)
    if user.extra:
        document["extra"] = {key: list(values) for key, values in user.extra.items()}
    return document
