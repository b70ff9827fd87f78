"""Numbers that addresses and names are made from, so that runs of the tests may share a machine."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path

_held: list[int] = []


def reserve(kind: str, count: int) -> int:
    """A number from 0 to `count` - 1 that nobody on this machine has, kept until this process ends.

    Raises RuntimeError when all are taken.
    """
    for number in random.SystemRandom().sample(range(count), count):
        path = Path(tempfile.gettempdir()) / f"kubeactors-tests-{kind}-{number}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            continue
        _held.append(fd)
        return number
    raise RuntimeError(f"all {count} numbers for {kind} are taken by other runs of the tests")
