"""SPDY/3 header blocks: names and values, compressed with a dictionary (draft 3.1, section 2.6.10). Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from kubeactors.apiserver.streams.spdy.frames import SpdyError

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200|OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
#: What compressor and decompressor begin with; its Adler-32 sum is sent with the first block.
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.replace("|", " ").encode() for word in _WORDS.split()) + _TAIL.encode()
)

#: A block's limits, uncompressed: bytes, and headers.
MAX_BLOCK = 64 * 1024
MAX_HEADERS = 256


class HeaderReader:
    """Decompresses the blocks of one connection, which are one stream of zlib."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """The headers by their lower-case names. Raises SpdyError, after which the connection cannot go on."""
        try:
            plain = self._inflate.decompress(block, MAX_BLOCK)
        except zlib.error as error:
            raise SpdyError(f"a header block cannot be decompressed: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"a header block has more than {MAX_BLOCK} bytes")
        try:
            return _parse(plain)
        except (struct.error, UnicodeDecodeError) as error:
            raise SpdyError("a header block is damaged") from error


def _parse(plain: bytes) -> dict[str, str]:
    (count,) = struct.unpack_from(">I", plain)
    if count > MAX_HEADERS:
        raise SpdyError(f"a header block has {count} headers")
    headers: dict[str, str] = {}
    offset = 4
    for _ in range(count):
        name, offset = _text(plain, offset)
        value, offset = _text(plain, offset)
        # Of several values the first one counts, as for http.Header.Get.
        headers.setdefault(name.lower(), value.split("\0")[0])
    return headers


def _text(plain: bytes, offset: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, offset)
    offset += 4
    if offset + length > len(plain):
        raise SpdyError("a header block is cut")
    return plain[offset : offset + length].decode(), offset + length


class HeaderWriter:
    """Compresses the blocks of one connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: Mapping[str, str]) -> bytes:
        """A block. Blocks must be sent in the order in which they were made."""
        plain = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += struct.pack(">I", len(text)) + text
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
