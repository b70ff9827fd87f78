"""Regular expressions: matches of the language, find and findAll of Kubernetes. RE2, so no pattern takes long."""

from functools import lru_cache
from typing import Any, Final

import re2

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.values import EvaluationError

_MAX_MEMORY: Final = 1 << 20
_MAX_PATTERN: Final = 10_000  # characters


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """Raises EvaluationError."""
    if len(pattern) > _MAX_PATTERN:
        raise EvaluationError("error parsing regexp: expression too large")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be compiled"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise EvaluationError(f"error parsing regexp: {_go_text(text, pattern)}") from None


# What RE2 in Go says where RE2 in C++ says something else.
_GO_TEXTS: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}


def _go_text(text: str, pattern: str) -> str:
    code, _, part = text.partition(": ")
    if code == "missing )":
        part = pattern
    return f"{_GO_TEXTS.get(code, code)}: `{part}`"


def matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def _find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    return found.group() if found is not None else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in compiled(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found


LIBRARY: Final = Library(
    {
        "find": (overload("string_find_string", "string.(string) -> string", _find),),
        "findAll": (
            overload("string_find_all_string", "string.(string) -> list(string)", _find_all),
            overload("string_find_all_string_int", "string.(string, int) -> list(string)", _find_all),
        ),
    }
)
