"""Regular expressions of schemas: RE2, as Kubernetes' own are, so that none takes longer than linear time."""

from functools import lru_cache

import re2

# Bytes that one compiled pattern may take.
_MAX_MEMORY = 1 << 20


class PatternError(ValueError):
    """No valid regular expression."""


class Pattern:
    """A compiled pattern that is looked for anywhere in a text."""

    def __init__(self, text: str) -> None:
        """Raises PatternError."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_MEMORY
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            reason = error.args[0] if error.args else "it cannot be compiled"
            message = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise PatternError(message) from None

    def found_in(self, text: str) -> bool:
        return self._compiled.search(text) is not None


@lru_cache(maxsize=2048)
def pattern(text: str) -> Pattern:
    """The compiled pattern, kept for the next time. Raises PatternError."""
    return Pattern(text)
