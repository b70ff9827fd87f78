"""The node's address ranges as they were told last, in a file:

for a start without the API server, and for CNI calls.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import orjson

logger = logging.getLogger(__name__)


def load_ranges(state_dir: Path) -> list[str]:
    """The ranges, or none when they were never known."""
    path = _path(state_dir)
    try:
        ranges: list[str] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError as error:
        logger.warning("%s cannot be read, the API server will tell the ranges: %s", path, error)
        return []
    return ranges


def save_ranges(state_dir: Path, ranges: Sequence[str]) -> None:
    """Raises OSError."""
    path = _path(state_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(orjson.dumps(list(ranges)))
    temporary.replace(path)


def remove_ranges(state_dir: Path) -> None:
    """Idempotent."""
    _path(state_dir).unlink(missing_ok=True)


def _path(state_dir: Path) -> Path:
    return state_dir / "ranges.json"
