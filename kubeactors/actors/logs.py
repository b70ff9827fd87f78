"""Each component's process logs to one file on its machine."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 2
FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"


def log_to_file(path: Path) -> None:
    """Send this process's log to `path`, rotated by size, readable by root only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUPS)
    path.chmod(0o640)
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
