"""All volumes of a pod: which type makes which, what they refer to, how they go away."""

import os
import shutil
from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.kernel import libc
from nodeagent.paths import PodPaths
from nodeagent.tokens import Wanted
from nodeagent.volumes.config_map import ConfigMap
from nodeagent.volumes.downward_api import DownwardApi
from nodeagent.volumes.empty_dir import EmptyDir
from nodeagent.volumes.host_path import HostPath
from nodeagent.volumes.interface import VolumeContext, VolumeError, VolumeType
from nodeagent.volumes.projected import Projected, wanted_tokens
from nodeagent.volumes.secret import Secret

TYPES: dict[str, VolumeType] = {
    "configMap": ConfigMap(),
    "downwardAPI": DownwardApi(),
    "emptyDir": EmptyDir(),
    "hostPath": HostPath(),
    "projected": Projected(),
    "secret": Secret(),
}


def volume_references(pod: Object) -> set[tuple[str, str]]:
    """The (resource, name) pairs that the pod's volumes are made from."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        kind = _kind(volume)
        if kind in TYPES:
            found |= TYPES[kind].references(volume[kind] or {})
    return found


def volume_tokens(pod: Object) -> set[Wanted]:
    """The tokens that the pod's volumes hold."""
    found: set[Wanted] = set()
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("projected"):
            found |= wanted_tokens(volume["projected"])
    return found


def set_up_volumes(context: VolumeContext) -> dict[str, Path]:
    """Make every volume of the pod; name → path to mount. Blocks. Raises VolumeError naming the volume."""
    made = {}
    for volume in context.pod["spec"].get("volumes") or ():
        name, kind = volume["name"], _kind(volume)
        if kind not in TYPES:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : volume type {kind} is not supported')
        try:
            made[name] = TYPES[kind].set_up(name, volume[kind] or {}, context)
        except (VolumeError, OSError) as error:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
    return made


def present_volumes(context: VolumeContext) -> dict[str, Path] | None:
    """The volumes as an earlier agent made them; None unless all of them are there. Blocks."""
    made = {}
    for volume in context.pod["spec"].get("volumes") or ():
        name, kind = volume["name"], _kind(volume)
        if kind not in TYPES:
            return None
        path = TYPES[kind].path(name, volume[kind] or {}, context)
        if not path.exists():
            return None
        made[name] = path
    return made


def refresh_volumes(context: VolumeContext) -> None:
    """Bring volumes up to date whose sources may have changed. Blocks. Raises VolumeError."""
    for volume in context.pod["spec"].get("volumes") or ():
        kind = _kind(volume)
        if kind in TYPES and TYPES[kind].refreshed:
            TYPES[kind].set_up(volume["name"], volume[kind] or {}, context)


def has_refreshed_volumes(pod: Object) -> bool:
    kinds = (_kind(volume) for volume in pod["spec"].get("volumes") or ())
    return any(kind in TYPES and TYPES[kind].refreshed for kind in kinds)


def tear_down_volumes(paths: PodPaths) -> None:
    """Unmount and remove everything below the pod's volume directories. Blocks. Raises OSError."""
    for root in (paths.subpaths, paths.volumes, paths.run):
        remove_tree(root)


def remove_tree(root: Path) -> None:
    """Remove a directory, unmounting first what is mounted below it: never a file of a mounted volume."""
    if not root.exists():
        return
    for point in libc.mount_points(os.path.realpath(root)):
        libc.unmount(point)
    shutil.rmtree(root)


def _kind(volume: Object) -> str:
    return next((key for key in volume if key != "name"), "emptyDir")
