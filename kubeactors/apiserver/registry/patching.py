"""A patch request: its media type, its application, and the check of its result."""

from __future__ import annotations

from kubeactors.api import codec, errors
from kubeactors.api.codec import Decoded
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.api.patch import PATCH_TYPES, apply_patch
from kubeactors.api.schema import struct
from kubeactors.apiserver.request import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Request


class Patch:
    """Checked once, applied as often as the write is tried."""

    def __init__(self, kind: Kind, request: Request) -> None:
        """Raises StatusError (415)."""
        if request.content_type not in PATCH_TYPES:
            raise errors.unsupported_media_type(None)
        if kind.custom and request.content_type == STRATEGIC_PATCH:
            raise errors.unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
        self._kind = kind
        self._type = request.content_type
        self._body = request.body
        self._validation = request.options.field_validation or codec.WARN

    def apply(self, current: Object) -> Decoded:
        """The patched object, normalised; `current` may be changed. Raises StatusError (400, 415, 422)."""
        schema = struct(self._kind.schema) if self._type == STRATEGIC_PATCH else None
        patched = apply_patch(self._type, current, self._body, schema, self._validation)
        return codec.decode_patched(
            self._kind,
            patched,
            field_validation=self._validation,
            patch=self._body,
            strategic=self._type == STRATEGIC_PATCH,
        )
