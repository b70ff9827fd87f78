"""Generated names (apiserver's names.SimpleNameGenerator) and uids."""

from __future__ import annotations

import random

# No vowels and no digits that look like letters: no words by accident.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_RANDOM_LENGTH = 5
_MAX_LENGTH = 63
# How often a create with generateName is tried when the name is taken (RetryGenerateName).
ATTEMPTS = 8


def generate_name(prefix: str) -> str:
    """The prefix, cut so that the name is a DNS label, and five characters."""
    suffix = "".join(random.choices(_ALPHABET, k=_RANDOM_LENGTH))
    return prefix[: _MAX_LENGTH - _RANDOM_LENGTH] + suffix


def new_uid() -> str:
    """A random UUID (RFC 9562, version 4). No secret: `random` is seeded by the system, and is quicker than asking it
    each time."""
    bits = f"{random.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{'89ab'[int(bits[16], 16) & 3]}{bits[17:20]}-{bits[20:]}"
