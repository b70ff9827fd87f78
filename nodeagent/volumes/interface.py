"""What a volume type does. Functions block and run in threads."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kubeactors.api.meta import Object
from nodeagent.paths import PodPaths
from nodeagent.pods.field_refs import PodFacts
from nodeagent.tokens import TokenError, Wanted


class VolumeError(Exception):
    """A volume cannot be made; the text is kubelet's."""


def no_tokens(wanted: Wanted) -> str:
    """Where pods have no service account."""
    raise TokenError("failed to fetch token: pods have no tokens here")


@dataclass(frozen=True)
class VolumeContext:
    """What volumes are made from. `find(resource, name)` looks in the pod's namespace."""

    pod: Object
    paths: PodPaths
    facts: PodFacts
    find: Callable[[str, str], Object | None]
    #: The pod's token for an audience and life. Raises TokenError.
    token: Callable[[Wanted], str] = no_tokens

    @property
    def fs_group(self) -> int | None:
        group: int | None = (self.pod["spec"].get("securityContext") or {}).get("fsGroup")
        return group

    @property
    def fs_user(self) -> int | None:
        """The one user as whom all of the pod's containers run; None if there is no such."""
        spec = self.pod["spec"]
        common = (spec.get("securityContext") or {}).get("runAsUser")
        users = {
            (container.get("securityContext") or {}).get("runAsUser", common)
            for container in (*(spec.get("initContainers") or ()), *spec["containers"])
        }
        return users.pop() if len(users) == 1 else None


class VolumeType(Protocol):
    """One kind of volume. `source` is the volume's own part of the spec (`{"name": …, SOURCE: {…}}` without name)."""

    #: Whether `set_up` is to be called again when what it was made from changes.
    refreshed: bool

    def references(self, source: Object) -> set[tuple[str, str]]:
        """The (resource, name) pairs that it is made from."""
        ...

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        """Where the volume is, made or not."""
        ...

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        """Make the volume, or bring it up to date; returns the path to mount. Raises VolumeError."""
        ...


def own_by_group(root: Path, group: int | None, *, read_only: bool = False) -> None:
    """Give a tree to fsGroup as kubelet does: group, its rights, and setgid on directories."""
    if group is None:
        return
    for directory, _names, files in os.walk(root):
        os.chown(directory, -1, group)
        os.chmod(directory, os.stat(directory).st_mode | (0o2550 if read_only else 0o2770))
        for file in files:
            path = os.path.join(directory, file)
            os.chown(path, -1, group, follow_symlinks=False)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | (0o440 if read_only else 0o660))


def mode_of(source: dict[str, Any], default: int = 0o644) -> int:
    mode = source.get("defaultMode")
    return default if mode is None else int(mode)
