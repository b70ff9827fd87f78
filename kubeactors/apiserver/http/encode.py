"""From a handler's JSON to what the client asked for: YAML, protobuf, indented, compressed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from isal import isal_zlib

from kubeactors.api import yaml
from kubeactors.api.errors import StatusError
from kubeactors.api.protobuf import encode_object
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.negotiate import JSON, PLAIN, PROTOBUF, YAML, MediaForm
from kubeactors.apiserver.long_document import LongDocument

#: Answers larger than this are compressed for clients that take gzip (k8s.io/apiserver's defaultGzipThresholdBytes).
GZIP_THRESHOLD = 128 * 1024
# ISA-L's levels go to 3. It takes a seventh of zlib's time at level 1, which is Kubernetes' choice, and saves as much.
_LEVEL = 1
# Pieces that are compressed before others have a turn: a third of a millisecond.
_TURN = 8
_GZIPPED = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))


def indent(body: bytes) -> bytes:
    """The same JSON, indented by two."""
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)


def to_yaml(body: bytes) -> bytes:
    """A JSON document as YAML."""
    return yaml.dump(orjson.loads(body))


def to_protobuf(body: bytes) -> bytes:
    """A JSON document of a built-in type as Kubernetes' protobuf."""
    return encode_object(orjson.loads(body))


def render(body: bytes, media: MediaForm, *, pretty: bool) -> tuple[bytes, str]:
    """The body in the encoding asked for, and its content type. Compact JSON ends with a line end, as Go's does."""
    if media.protobuf:
        return to_protobuf(body), PROTOBUF
    if media.yaml:
        return to_yaml(body), YAML
    if pretty:
        return indent(body), JSON
    return body if body.endswith(b"\n") else body + b"\n", JSON


def gzip(body: bytes, level: int = _LEVEL) -> bytes:
    """RFC 1952 compression."""
    compressor = _compressor(level)
    return compressor.compress(body) + compressor.flush()


async def maybe_gzip(body: bytes, accept_encoding: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The body, compressed if that pays and the client takes it, and the headers that say so."""
    if len(body) < GZIP_THRESHOLD or not accepts_gzip(accept_encoding):
        return body, ()
    return gzip(body), _GZIPPED


async def long_answer(
    status: int, document: LongDocument, accept_encoding: str, headers: tuple[tuple[str, str], ...]
) -> Answer:
    """A long list as JSON, compressed if the client takes it."""
    if not accepts_gzip(accept_encoding):
        return Answer(status, document, JSON, headers)
    compressor, packed = _compressor(), []
    for number, piece in enumerate(document.pieces(), 1):
        packed.append(compressor.compress(piece))
        if number % _TURN == 0:
            await asyncio.sleep(0)
    packed.append(compressor.flush())
    return Answer(status, b"".join(packed), JSON, (*headers, *_GZIPPED))


def _compressor(level: int = _LEVEL) -> isal_zlib.Compress:
    return isal_zlib.compressobj(level, isal_zlib.DEFLATED, 16 + isal_zlib.MAX_WBITS)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip without refusing it by a quality of zero."""
    for part in accept_encoding.split(","):
        coding, _, quality = part.partition(";")
        if coding.strip().lower() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


_MAX_WARNINGS = 4096  # characters of all together; each is shortened before any is left out, as in Kubernetes
_SHORTENED = 256


def warning_headers(warnings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """RFC 7234 section 5.5 headers with code 299, as Kubernetes writes them."""
    total = sum(map(len, warnings))
    if total > _MAX_WARNINGS:
        warnings = [text[:_SHORTENED] for text in warnings]
    headers: list[tuple[str, str]] = []
    written = 0
    for text in warnings:
        written += len(text)
        if written > _MAX_WARNINGS:
            break
        headers.append(("Warning", f"299 - {_quote(text)}"))
    return tuple(headers)


def _quote(text: str) -> str:
    clean = "".join(" " if character < " " or character == "\x7f" else character for character in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def status_answer(
    error: StatusError,
    *,
    media: MediaForm = PLAIN,
    pretty: bool = False,
    close: bool = False,
    warnings: Sequence[str] = (),
) -> Answer:
    """A failure as an answer: the Status with its code."""
    body, content_type = render(orjson.dumps(error.status), media, pretty=pretty)
    headers: list[tuple[str, str]] = list(warning_headers(warnings))
    if error.retry_after_seconds:
        headers.append(("Retry-After", str(error.retry_after_seconds)))
    return Answer(error.code, body, content_type, headers, close=close)


def as_beta(body: bytes) -> bytes:
    """A Table or PartialObjectMetadata(List) of meta.k8s.io/v1 as v1beta1, which has the same fields."""
    whole = orjson.loads(body)
    rows = (row.get("object") or {} for row in whole.get("rows") or ())
    for part in (whole, *rows, *(whole.get("items") or ())):
        if part.get("apiVersion") == "meta.k8s.io/v1":
            part["apiVersion"] = "meta.k8s.io/v1beta1"
    return orjson.dumps(whole)


def document(value: Any) -> bytes:
    """Compact JSON of plain data."""
    return orjson.dumps(value)
