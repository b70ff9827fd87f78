"""Regular expressions of schemas and of CEL: RE2, as Kubernetes' own are, so that none takes longer than linear time.

What is wrong with one is said in the words of Go's regexp/syntax.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

# Bytes that one compiled pattern may take.
_MAX_MEMORY: Final = 1 << 20
_MAX_PATTERN: Final = 10_000  # characters

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


class PatternError(ValueError):
    """No valid regular expression; the text is Go's."""


@lru_cache(maxsize=2048)
def compiled(pattern: str) -> Any:
    """The compiled pattern, kept for the next time. Raises PatternError."""
    if len(pattern) > _MAX_PATTERN:
        raise PatternError("error parsing regexp: expression too large")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be compiled"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"error parsing regexp: {_go_text(text, pattern)}") from None


def found_in(text: str, pattern: str) -> bool:
    """Whether the pattern matches anywhere in the text. Raises PatternError."""
    return compiled(pattern).search(text) is not None


def _go_text(text: str, pattern: str) -> str:
    code, _, part = text.partition(": ")
    if code == "missing )":
        part = pattern
    return f"{_GO_TEXTS.get(code, code)}: `{part}`"
