"""A cluster for benchmarks that need one, gone afterwards."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.guestbook.images import SIDECAR
from tests.support.cluster import TestCluster
from tests.support.machine import Link


@contextmanager
def cluster() -> Iterator[TestCluster]:
    """A cluster of one machine with the image `localhost/guestbook-sidecar:v1` (busybox)."""
    link = Link(random.SystemRandom().randrange(1, 250))
    link.make()
    try:
        made = TestCluster(Path(tempfile.mkdtemp(prefix="kbench-", dir="/tmp")), advertise_address=link.address)
        try:
            made.up()
            made.add_images(SIDECAR)
            yield made
        finally:
            made.down()
    finally:
        link.remove()
