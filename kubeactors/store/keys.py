"""Key ranges as etcd writes them: (key, range_end).

`range_end` empty: the one key. `b"\\0"`: every key from `key` on. Else: `key <= k < range_end`.
"""

from __future__ import annotations

FROM_KEY = b"\0"
"""As `range_end`: no upper bound."""


def prefix_end(prefix: bytes) -> bytes:
    """The `range_end` that makes (prefix, range_end) the keys that start with `prefix`."""
    end = bytearray(prefix)
    while end:
        if end[-1] < 0xFF:
            end[-1] += 1
            return bytes(end)
        end.pop()
    return FROM_KEY


def contains(key: bytes, range_end: bytes, candidate: bytes) -> bool:
    """Whether `candidate` lies in the range."""
    if not range_end:
        return candidate == key
    return candidate >= key and (range_end == FROM_KEY or candidate < range_end)
