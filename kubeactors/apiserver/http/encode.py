"""From a handler's JSON to what the client asked for: YAML, protobuf, indented, compressed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from kubeactors.api import yaml
from kubeactors.api.errors import StatusError
from kubeactors.api.protobuf import encode_object
from kubeactors.apiserver.http.answer import Answer
from kubeactors.apiserver.http.negotiate import JSON, PLAIN, PROTOBUF, YAML, MediaForm
from kubeactors.apiserver.long_document import LongDocument

#: Answers larger than this are compressed for clients that take gzip (k8s.io/apiserver's defaultGzipThresholdBytes).
GZIP_THRESHOLD = 128 * 1024
#: Larger ones than this are compressed on another thread.
_OWN_THREAD = 1024 * 1024
#: Kubernetes' choice: level 1 costs a third of level 6 and saves nearly as much.
_GZIP_LEVEL = 1
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


def gzip(body: bytes, level: int = _GZIP_LEVEL) -> bytes:
    """RFC 1952 compression."""
    return _gzip_pieces((body,), level)


async def maybe_gzip(body: bytes, accept_encoding: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The body, compressed if that pays and the client takes it, and the headers that say so."""
    if len(body) < GZIP_THRESHOLD or not accepts_gzip(accept_encoding):
        return body, ()
    packed = await asyncio.to_thread(gzip, body) if len(body) > _OWN_THREAD else gzip(body)
    return packed, _GZIPPED


async def long_answer(
    status: int, document: LongDocument, accept_encoding: str, headers: tuple[tuple[str, str], ...]
) -> Answer:
    """A long list as JSON, compressed on another thread if the client takes it."""
    if not accepts_gzip(accept_encoding):
        return Answer(status, document, JSON, headers)
    packed = await asyncio.to_thread(_gzip_pieces, document.pieces())
    return Answer(status, packed, JSON, (*headers, *_GZIPPED))


def _gzip_pieces(pieces: Iterable[bytes], level: int = _GZIP_LEVEL) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join((*map(compressor.compress, pieces), compressor.flush()))


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
