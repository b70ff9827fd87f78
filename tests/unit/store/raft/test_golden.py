"""The scripts in testdata/: read raft_script's docstring for their language.

After a wanted change of behaviour `python -m tests.support.raft_script FILE ..` writes the outputs anew: read the diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.raft_script import difference, replay

SCRIPTS = sorted((Path(__file__).parent / "testdata").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    wanted, actual = replay(path)
    assert wanted == actual, difference(wanted, actual)


def test_scripts_were_found() -> None:
    assert len(SCRIPTS) >= 12
