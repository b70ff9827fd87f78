"""Kernel settings under /proc/sys/net, of the calling thread's network namespace."""

from pathlib import Path

from netplugin.interface import NetworkError


def set_value(name: str, value: str, *, required: bool = True) -> None:
    """Write `net/...` unless it has the value already. Raises NetworkError when it cannot be had and is required."""
    path = Path("/proc/sys") / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        if required:
            raise NetworkError(f"kernel setting {name} cannot be set to {value}: {error}") from error
