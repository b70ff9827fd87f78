"""Files that change all at once: the layout of kubelet's AtomicWriter, which programs rely on.

`DIR/name` is a link to `..data/name`, `..data` a link to a directory with a time in its name. An update writes a new
directory and swaps `..data` by a rename.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from nodeagent.volumes.interface import VolumeError

_DATA = "..data"


@dataclass(frozen=True)
class File:
    data: bytes
    mode: int
    #: Who owns it; None: whoever writes it.
    user: int | None = None


def write_atomically(target: Path, files: Mapping[str, File], *, group: int | None = None) -> bool:
    """Make `target` hold exactly `files` (relative path → file); whether anything changed. Raises VolumeError."""
    for path in files:
        _check(path)
    target.mkdir(parents=True, exist_ok=True)
    data = target / _DATA
    old = target / os.readlink(data) if data.is_symlink() else None
    if (
        old is not None
        and old.is_dir()
        and _read(old) == {path: (f.data, _mode(f, group)) for path, f in files.items()}
    ):
        return False
    new = _new_directory(target)
    try:
        for path, file in files.items():
            _write(new / path, file, group)
        if group is not None:
            os.chown(new, -1, group)
        temporary = target / "..data_tmp"
        temporary.unlink(missing_ok=True)
        os.symlink(new.name, temporary)
        os.rename(temporary, data)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _link_names(target, {PurePosixPath(path).parts[0] for path in files})
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise VolumeError(f'invalid path "{path}": must be relative, without ".." and not begin with ".."')


def _new_directory(target: Path) -> Path:
    while True:
        directory = target / datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
        try:
            directory.mkdir(mode=0o755)
        except FileExistsError:
            continue
        os.chmod(directory, 0o755)
        return directory


def _write(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.data)
        if group is not None or file.user is not None:
            os.fchown(stream.fileno(), -1 if file.user is None else file.user, -1 if group is None else group)
        os.fchmod(stream.fileno(), _mode(file, group))


def _mode(file: File, group: int | None) -> int:
    return file.mode | (0o440 if group is not None else 0)


def _read(directory: Path) -> dict[str, tuple[bytes, int]]:
    found = {}
    for path in directory.rglob("*"):
        if path.is_file():
            found[str(path.relative_to(directory))] = (path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


def _link_names(target: Path, names: set[str]) -> None:
    for name in names:
        link = target / name
        if not link.is_symlink():
            os.symlink(f"{_DATA}/{name}", link)
    for entry in target.iterdir():
        if not entry.name.startswith("..") and entry.name not in names and entry.is_symlink():
            entry.unlink()
