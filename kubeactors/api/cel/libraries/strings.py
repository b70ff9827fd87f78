"""Functions of strings: version 2 of the reference implementation's extension, as Kubernetes has it since v1.29."""

from typing import Any, Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.libraries.formatting import format_string
from kubeactors.api.cel.values import EvaluationError

_MAX_LENGTH: Final = 16 << 20  # characters that one function may make
_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_LOWER: Final = {ord("A") + i: ord("a") + i for i in range(26)}
_UPPER: Final = {lower: upper for upper, lower in _LOWER.items()}
_SPACE: Final = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text) and (part or start < 0):
        raise EvaluationError(f"index out of range: {start}")
    return start if not part else text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is not None and not 0 <= start < max(len(text), 1):
        raise EvaluationError(f"index out of range: {start}")
    if not part:
        return len(text) if start is None else start
    return text.rfind(part) if start is None else text.rfind(part, 0, start + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if end is None and not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if start > stop:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if stop > len(text):
        raise EvaluationError(f"index out of range: {stop}")
    return text[start:stop]


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if old else len(text) + 1
    if 0 <= count < times:
        times = count
    if len(text) + times * max(0, len(new) - len(old)) > _MAX_LENGTH:
        raise EvaluationError("the result of replace is too long")
    return text.replace(old, new, times)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _join(parts: Any, separator: str = "") -> str:
    texts = list(parts)
    if not all(type(each) is str for each in texts):
        raise EvaluationError("no such overload")
    if sum(map(len, texts)) + len(separator) * len(texts) > _MAX_LENGTH:
        raise EvaluationError("the result of join is too long")
    return separator.join(texts)


def quote(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


LIBRARY: Final = Library(
    {
        "charAt": (overload("string_char_at_int", "string.(int) -> string", _char_at),),
        "format": (overload("string_format", "string.(list(dyn)) -> string", format_string),),
        "indexOf": (
            overload("string_index_of_string", "string.(string) -> int", _index_of),
            overload("string_index_of_string_int", "string.(string, int) -> int", _index_of),
        ),
        "join": (
            overload("list_join", "list(string).() -> string", _join),
            overload("list_join_string", "list(string).(string) -> string", _join),
        ),
        "lastIndexOf": (
            overload("string_last_index_of_string", "string.(string) -> int", _last_index_of),
            overload("string_last_index_of_string_int", "string.(string, int) -> int", _last_index_of),
        ),
        "lowerAscii": (overload("string_lower_ascii", "string.() -> string", lambda text: text.translate(_LOWER)),),
        "replace": (
            overload("string_replace_string_string", "string.(string, string) -> string", _replace),
            overload("string_replace_string_string_int", "string.(string, string, int) -> string", _replace),
        ),
        "split": (
            overload("string_split_string", "string.(string) -> list(string)", _split),
            overload("string_split_string_int", "string.(string, int) -> list(string)", _split),
        ),
        "strings.quote": (overload("strings_quote", "(string) -> string", quote),),
        "substring": (
            overload("string_substring_int", "string.(int) -> string", _substring),
            overload("string_substring_int_int", "string.(int, int) -> string", _substring),
        ),
        "trim": (overload("string_trim", "string.() -> string", lambda text: text.strip(_SPACE)),),
        "upperAscii": (overload("string_upper_ascii", "string.() -> string", lambda text: text.translate(_UPPER)),),
    }
)
