"""The channel protocols of Kubernetes' WebSockets. Pure.

Each message begins with the number of a channel: a byte, or with base64 a character and the rest encoded.
(k8s.io/streaming, wsstream; protocol v5 is KEP-4006 and adds the message that closes a channel.)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
#: In v5 the "channel" of a message that says which channel ends.
CLOSE = 255

V5 = "v5.channel.k8s.io"
#: What exec and attach speak besides v5; the empty name is a client that asks for none.
COMMAND_PROTOCOLS = ("", "channel.k8s.io", "base64.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PORT_PROTOCOLS = ("", "v4.channel.k8s.io", "v4.base64.channel.k8s.io")
#: SPDY in a WebSocket (KEP-4006).
TUNNEL = "SPDY/3.1+portforward.k8s.io"

_RESIZE_LIMIT = 4096


def requested(header: Sequence[str]) -> list[str]:
    """The protocols that Sec-WebSocket-Protocol headers ask for, in order."""
    return [name for value in header for part in value.split(",") if (name := part.strip())]


_BEARER = "base64url.bearer.authorization.k8s.io."


def bearer_token(wanted: Sequence[str]) -> str | None:
    """The token that a browser, which sets no headers, puts among the protocols of a WebSocket; None without one.

    It counts only beside another protocol, since a server must answer one and never the token's
    (k8s.io/apiserver, authentication/request/websocket).
    """
    tokens = [name.removeprefix(_BEARER) for name in wanted if name.startswith(_BEARER)]
    if len(tokens) != 1 or len(wanted) < 2:
        return None
    try:
        return base64.b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def without_token(value: str) -> str:
    """A Sec-WebSocket-Protocol header's value without the token."""
    return ", ".join(name for name in requested([value]) if not name.startswith(_BEARER))


def choose(wanted: Sequence[str], served: Sequence[str]) -> str | None:
    """The first protocol wanted that is served; None when there is none."""
    return next((name for name in (wanted or ("",)) if name in served), None)


@dataclass(frozen=True, slots=True)
class Codec:
    """How messages of one protocol are written."""

    protocol: str

    @property
    def base64(self) -> bool:
        return "base64" in self.protocol

    @property
    def json_status(self) -> bool:
        """Whether the error channel carries a Status, not text."""
        return self.protocol.startswith(("v4.", "v5."))

    def encode(self, channel: int, data: bytes) -> bytes:
        """A message of a channel."""
        if self.base64:
            return b"%d%b" % (channel, base64.b64encode(data))
        return bytes((channel,)) + data

    def decode(self, message: bytes) -> tuple[int, bytes] | None:
        """Channel and data; None for a message that is to be ignored, as Kubernetes ignores it."""
        if not message:
            return None
        if not self.base64:
            return message[0], message[1:]
        try:
            return message[0] - 0x30, base64.b64decode(message[1:], validate=True)
        except (binascii.Error, ValueError):
            return None


class SizeReader:
    """Terminal sizes out of the bytes of the resize stream: JSON objects one after another, `{"Width":80,"Height":24}`.

    Bytes that are no such object end it: further sizes are ignored.
    """

    def __init__(self) -> None:
        self._text = ""
        self._broken = False

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        """The (width, height) that are complete now, in columns and rows."""
        if self._broken:
            return []
        self._text += data.decode(errors="replace")
        sizes = []
        decoder = json.JSONDecoder()
        while text := self._text.lstrip():
            try:
                found, end = decoder.raw_decode(text)
            except (json.JSONDecodeError, RecursionError):
                self._broken = len(text) > _RESIZE_LIMIT or not text.startswith("{")
                break
            self._text = text[end:]
            size = _size(found)
            if size is None:
                self._broken = True
                break
            sizes.append(size)
        if self._broken or len(self._text) > _RESIZE_LIMIT:
            self._text, self._broken = "", True
        return sizes


def _size(found: object) -> tuple[int, int] | None:
    if not isinstance(found, dict):
        return None
    folded = {str(key).lower(): value for key, value in found.items()}
    width, height = folded.get("width", 0), folded.get("height", 0)
    if not all(type(each) is int and 0 <= each < 65536 for each in (width, height)):
        return None
    return width, height
