"""aetcd, a Python client of etcd: the same program against etcd and against this store, step by step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.store.peers.sides import Pair, Side

pytestmark = pytest.mark.timeout(180)
SESSION = Path(__file__).with_name("aetcd_session.py")


def test_everyday_use(pair: Pair) -> None:
    wanted, got = map(session, pair.sides)
    assert len(wanted) > 60
    for theirs, ours in zip(wanted, got, strict=True):
        assert ours == theirs


def session(side: Side) -> list[Any]:
    port = side.urls[0].rpartition(":")[2]
    command = [sys.executable, str(SESSION), port, str(side.directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{side.name}:\n{done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]
