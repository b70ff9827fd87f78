"""YAML bodies as Kubernetes reads them: YAML 1.1 (`y`, `no` and `on` are booleans), one document, JSON's data model.

Numbers are those of the Go library that Kubernetes uses: `12:30` is text, `1e3` a number. Nesting and what aliases
expand to are bounded.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

import orjson
import yaml as pyyaml

from kubeactors.api import yaml_json

MAX_DEPTH: Final = 250
MAX_REPEATED: Final = 100  # keys that are told of
MAX_ALIASED: Final = 100_000  # nodes that all aliases of a document stand for
_Parser: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)
_TURN: Final = 500  # events of the parser, which take one or two milliseconds
_REMEMBERED: Final = 1000  # plain scalars of which the meaning is kept
_NO_KEY: Final = object()
_MERGE: Final = object()
_OPEN: Final = object()
_BOOLEAN: Final = re.compile(
    r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)\Z"
)
_INTEGER: Final = re.compile(r"^[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_NUMERIC: Final = frozenset("-+.0123456789")
_BOOLEAN_FIRST: Final = "yYnNtTfFoO"
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_MEANINGFUL: Final = frozenset({*_NUMERIC, *_BOOLEAN_FIRST, "", "~"})  # first characters of what is more than text
_TRUE: Final = frozenset({"y", "yes", "true", "on"})
_LONGEST_INTEGER: Final = 64  # digits of one that 64 bits could hold, in base 2
_CHECKED_TAGS: Final = frozenset({"null", "bool", "int", "float"})


class YamlError(ValueError):
    """Text that is no YAML, or has no JSON form."""


class _KubernetesDumper(getattr(pyyaml, "CSafeDumper", pyyaml.SafeDumper)):  # type: ignore[misc]
    """Writes text in quotes wherever this reader or PyYAML's own would take it for something else."""


def load(body: bytes) -> tuple[Any, list[str]]:
    """The document as JSON data, and a text for each repeated key. Raises YamlError."""
    if isinstance(body, ReadBody):
        return body.outcome()
    reading = steps(body)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            outcome: tuple[Any, list[str]] = done.value
            return outcome


class ReadBody(bytes):
    """A body together with what was read of it, for a long one that was read in steps: `load` has nothing to do."""

    _json: bytes = b""
    _repeated: Sequence[str] = ()
    _error: YamlError | None = None

    def keep(self, value: Any, repeated: Sequence[str]) -> None:
        self._json, self._repeated = orjson.dumps(value), repeated

    def fail(self, error: YamlError) -> None:
        self._error = error

    def outcome(self) -> tuple[Any, list[str]]:
        """A copy for each caller. Raises YamlError."""
        if self._error is not None:
            raise YamlError(str(self._error))
        return orjson.loads(self._json), list(self._repeated)


def steps(body: bytes) -> Generator[None, None, tuple[Any, list[str]]]:
    """Does what `load` does, and stops after each millisecond or two, so that others can have a turn.

    Raises YamlError.
    """
    if body.startswith(b"{"):
        value = yaml_json.read(body)
        if value is not yaml_json.NOT_PLAIN:
            return value, []
    parser = None
    try:
        parser = _Parser(body)
        document = _Document()
        yield from document.read(parser.get_event)
        # What an alias stands for is one value in several places; who changes one place must not change the others.
        value = orjson.loads(orjson.dumps(document.value)) if document.aliased else document.value
        return value, document.repeated
    except pyyaml.YAMLError as error:
        raise YamlError(_said_by_go(error)) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise YamlError(" ".join(str(error).split())) from None
    finally:
        if parser is not None:
            parser.dispose()


def _said_by_go(error: pyyaml.YAMLError) -> str:
    """A syntax error as the Go library tells it: of parser's errors the line before, and never the first."""
    if isinstance(error, pyyaml.reader.ReaderError):
        return str(error.reason)
    if not isinstance(error, pyyaml.MarkedYAMLError) or not error.problem:
        return " ".join(str(error).split())
    line = error.problem_mark.line if error.problem_mark else 0
    if line and isinstance(error, pyyaml.scanner.ScannerError):
        line += 1
    elif not line and error.context_mark:
        line = error.context_mark.line
    return f"line {line}: {error.problem}" if line else str(error.problem)


class _Document:
    """Builds the first document of a stream from the parser's events, without recursion."""

    def __init__(self) -> None:
        self.value: Any = None
        self.aliased = 0  # nodes that aliases stood for
        self.repeated: list[str] = []
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}  # value, and its size in nodes
        self._plain: dict[str, Any] = {}  # what plain scalars mean

    def read(self, next_event: Callable[[], Any]) -> Generator[None]:
        """Raises YamlError."""
        outer: list[tuple[Any, Any, str | None, int]] = []
        container: Any = None  # the map or list that is open
        key: Any = _NO_KEY  # that waits for its value
        anchor: str | None = None  # of the container
        before = 0  # nodes read when it began
        plain = self._plain
        turn = _TURN
        while True:
            turn -= 1
            if not turn:
                turn = _TURN
                yield
            event = next_event()
            kind = type(event)
            merges = False
            if kind is pyyaml.ScalarEvent:
                text = event.value
                if event.tag is None and event.implicit[0]:
                    merges = text == "<<"
                    if text in plain:
                        value = plain[text]
                    else:
                        value = _plain_value(text)
                        if len(plain) < _REMEMBERED:
                            plain[text] = value
                else:
                    value = text if event.tag is None else _tagged_value(event.tag, text)
                self._nodes += 1
                if event.anchor is not None:
                    self._anchors[event.anchor] = value, 1
            elif kind is pyyaml.MappingStartEvent or kind is pyyaml.SequenceStartEvent:
                if len(outer) >= MAX_DEPTH:
                    raise YamlError(f"the document is nested more than {MAX_DEPTH} levels deep")
                if key is _NO_KEY and type(container) is dict:
                    raise YamlError(f"line {event.start_mark.line + 1}: a key is no string")
                outer.append((container, key, anchor, before))
                container, key = ({} if kind is pyyaml.MappingStartEvent else []), _NO_KEY
                anchor, before = event.anchor, self._nodes
                self._nodes += 1
                if anchor is not None:
                    self._anchors[anchor] = _OPEN, 0
                continue
            elif kind is pyyaml.MappingEndEvent or kind is pyyaml.SequenceEndEvent:
                value = container
                if anchor is not None:
                    self._anchors[anchor] = value, self._nodes - before
                container, key, anchor, before = outer.pop()
            elif kind is pyyaml.AliasEvent:
                value = self._alias(event.anchor)
            elif kind is pyyaml.DocumentEndEvent or kind is pyyaml.StreamEndEvent:
                return
            else:  # the stream and the document begin
                continue
            if type(container) is list:
                container.append(value)
            elif container is None:
                self.value = value
            elif key is _NO_KEY:
                key = _MERGE if merges else value if type(value) is str else _key(value)
                line = event.start_mark.line
            elif key is _MERGE:
                self._merge(container, value, line)
                key = _NO_KEY
            else:
                if key in container:
                    self._note_repeated(key, line)
                container[key] = value
                key = _NO_KEY

    def _alias(self, anchor: str) -> Any:
        value, size = self._anchors.get(anchor, (_NO_KEY, 0))
        if value is _NO_KEY:
            raise YamlError(f"unknown anchor '{anchor}' referenced")
        if value is _OPEN:
            raise YamlError(f"anchor '{anchor}' value contains itself")
        self._nodes += size
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise YamlError("document contains excessive aliasing")
        return value

    def _merge(self, into: dict[str, Any], value: Any, line: int) -> None:
        """The key `<<` (https://yaml.org/type/merge.html). Of several maps the first has precedence."""
        maps = value[::-1] if type(value) is list else [value]
        for merged in maps:
            if type(merged) is not dict:
                raise YamlError("map merge requires map or sequence of maps as the value")
            for key, item in merged.items():
                if key in into:
                    self._note_repeated(key, line)
                into[key] = item

    def _note_repeated(self, key: str, line: int) -> None:
        if len(self.repeated) < MAX_REPEATED:
            self.repeated.append(f'line {line + 1}: key "{key}" already set in map')


def dump(obj: Any) -> bytes:
    """JSON data as YAML, keys in order of the alphabet as Kubernetes writes them."""
    text: bytes = pyyaml.dump(
        obj,
        Dumper=_KubernetesDumper,
        default_flow_style=False,
        allow_unicode=True,
        encoding="utf-8",
        width=2**20,
    )
    return text


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise YamlError(f"a key is no string: {value!r}")


def _plain_value(text: str) -> Any:
    """What a scalar without quotes means."""
    first = text[:1]
    if first not in _MEANINGFUL:
        return text
    if text in _NULLS:
        return None
    if first in _NUMERIC:
        if _INTEGER.match(text):
            return _integer(text)
        return _float(text) if _FLOAT.match(text) else text
    return text.lower() in _TRUE if _BOOLEAN.match(text) else text


def _tagged_value(tag: str, text: str) -> Any:
    """What a scalar with a tag means; tags that are not YAML's own say nothing."""
    name = tag.removeprefix("tag:yaml.org,2002:")
    if name == "binary":
        try:
            return base64.b64decode(text.encode(), validate=True).decode("utf-8", "replace")
        except ValueError:
            raise YamlError("!!binary value contains invalid base64 data") from None
    if name == tag or name not in _CHECKED_TAGS:
        return text
    value = _plain_value(text)
    if name == "float" and type(value) is int:
        return value
    found = _tag_of(text, value)
    if found != name:
        raise YamlError(f"cannot decode !!{found} `{text}` as a !!{name}")
    return value


def _tag_of(text: str, value: Any) -> str:
    if value is None:
        return "null"
    if type(value) is bool:
        return "bool"
    if type(value) is str:
        return "str"
    return "int" if _INTEGER.match(text) else "float"


def _integer(text: str) -> int | float | str:
    """Beyond 64 bits: a floating-point number, or text if the base is not ten."""
    digits = text.replace("_", "").lower().lstrip("-+")
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 0)
    if not base and len(digits) > _LONGEST_INTEGER:
        return _float(digits if text[0] != "-" else f"-{digits}")
    value = int(digits[2:], base) if base else int(digits, 8 if digits.startswith("0") else 10)
    value = -value if text.startswith("-") else value
    if -(2**63) <= value < 2**64:
        return value
    return text if base else float(value)


def _float(text: str) -> int | float | str:
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if value != value or value in (float("inf"), float("-inf")):
        if text[-1].isdigit():
            return text  # beyond the range of numbers: text, as for Kubernetes
        raise YamlError("a number has no JSON form")
    return yaml_json.number(value)


_KubernetesDumper.yaml_implicit_resolvers = {
    first: list(resolvers) for first, resolvers in _Parser.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", _BOOLEAN, _BOOLEAN_FIRST),
    ("int", _INTEGER, "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
):
    _KubernetesDumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))
