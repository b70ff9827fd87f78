"""Generated names (apiserver's names.SimpleNameGenerator) and uids."""

from __future__ import annotations

import random
import uuid

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
    return str(uuid.uuid4())
