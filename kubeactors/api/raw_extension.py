"""Members that Kubernetes keeps as the text that a client sent (runtime.RawExtension), as a ControllerRevision's data.

Such text goes over the wire without its spaces; but whether it changed is asked of the text. Who sent `{"a": 1}` cannot
change the object by patches any more, which all come with `{"a":1}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from kubeactors.api.meta import Object

_SPACES: Final = re.compile(r"[ \t\r\n]*")
_TOKENS: Final = re.compile(r'("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)|[ \t\r\n]+')
_TEXT: Final = "{}Text"  # the stored form's member for a text that its value does not make again


class RawExtension(dict[str, Any]):
    """A value and the JSON text that it is read from, but that its strings and numbers are written in the one way that
    clients are shown. Copies and what a patch makes of it are plain dictionaries."""

    def __init__(self, value: dict[str, Any], text: str) -> None:
        super().__init__(value)
        self.text = text


def keep_text(obj: Object, member: str, body: bytes) -> None:
    """Keep with a member of a decoded object its text in the JSON body."""
    value = obj.get(member)
    if isinstance(value, dict):
        obj[member] = RawExtension(value, _TOKENS.sub(_normal, _text_of(body.decode(), member)))


def drop_text(obj: Object, member: str) -> None:
    """What is made out of an object that was read has no text of its own."""
    value = obj.get(member)
    if isinstance(value, RawExtension):
        obj[member] = dict(value)


def changed(new: Any, old: Any) -> bool:
    """Whether the member's text differs. What has no text came through a patch, which leaves none of the spaces."""
    if new != old:
        return True
    if not isinstance(old, RawExtension):
        return False
    text = new.text if isinstance(new, RawExtension) else _TOKENS.sub(r"\1", old.text)
    return bool(text != old.text)


@dataclass(frozen=True)
class TextKept:
    """The conversion of kinds with such a member: its text lies beside it in the store where it says more."""

    member: str

    def to_stored(self, obj: Object) -> Object:
        value = obj.get(self.member)
        if not isinstance(value, RawExtension) or value.text == orjson.dumps(value).decode():
            return obj
        return {**obj, _TEXT.format(self.member): value.text}

    def from_stored(self, obj: Object) -> None:
        value, text = obj.get(self.member), obj.pop(_TEXT.format(self.member), None)
        if isinstance(value, dict):
            obj[self.member] = RawExtension(value, orjson.dumps(value).decode() if text is None else text)


def _normal(token: re.Match[str]) -> str:
    return orjson.dumps(orjson.loads(token[1])).decode() if token[1] else token[0]


def _text_of(text: str, member: str) -> str:
    """The text of a member of the object that is the JSON text; of one that is repeated, the last."""
    found = ""
    decoder = json.JSONDecoder()
    position = _after_spaces(text, text.index("{") + 1)
    while text[position] != "}":
        key, position = decoder.raw_decode(text, position)
        begin = _after_spaces(text, _after_spaces(text, position) + 1)
        _, end = decoder.raw_decode(text, begin)
        if key == member:
            found = text[begin:end]
        position = _after_spaces(text, end)
        if text[position] == ",":
            position = _after_spaces(text, position + 1)
    return found


def _after_spaces(text: str, position: int) -> int:
    spaces = _SPACES.match(text, position)
    assert spaces is not None  # it may be empty
    return spaces.end()
