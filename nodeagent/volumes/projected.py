"""projected: configMaps, secrets, fields of the pod and its tokens together in one directory, in memory."""

from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.tokens import DEFAULT_SECONDS, TokenError, Wanted
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.config_map import config_map_files
from nodeagent.volumes.downward_api import downward_files
from nodeagent.volumes.empty_dir import mount_tmpfs
from nodeagent.volumes.interface import VolumeContext, VolumeError, mode_of
from nodeagent.volumes.secret import secret_files


class Projected:
    refreshed = True

    def references(self, source: Object) -> set[tuple[str, str]]:
        found = set()
        for projection in source.get("sources") or ():
            for kind, resource in (("configMap", "configmaps"), ("secret", "secrets")):
                if projection.get(kind):
                    found.add((resource, projection[kind].get("name", "")))
        return found

    def path(self, name: str, source: Object, context: VolumeContext) -> Path:
        return context.paths.volume("projected", name)

    def set_up(self, name: str, source: Object, context: VolumeContext) -> Path:
        mode = mode_of(source)
        files: dict[str, File] = {}
        for projection in source.get("sources") or ():
            if projection.get("configMap"):
                files.update(config_map_files(projection["configMap"], mode, context))
            elif projection.get("secret"):
                files.update(secret_files(projection["secret"].get("name", ""), projection["secret"], mode, context))
            elif projection.get("downwardAPI"):
                files.update(downward_files(projection["downwardAPI"], mode, context))
            elif projection.get("serviceAccountToken"):
                token = projection["serviceAccountToken"]
                files[token["path"]] = token_file(wanted_token(token), mode, context)
            else:
                raise VolumeError(f"projection of {', '.join(sorted(projection))} is not supported")
        path = self.path(name, source, context)
        path.mkdir(parents=True, exist_ok=True)
        mount_tmpfs(path)
        write_atomically(path, files, group=context.fs_group)
        return path


def wanted_tokens(source: Object) -> set[Wanted]:
    """The tokens that a projected volume holds."""
    projections = (projection.get("serviceAccountToken") for projection in source.get("sources") or ())
    return {wanted_token(projection) for projection in projections if projection}


def wanted_token(projection: Object) -> Wanted:
    return Wanted(projection.get("audience") or "", projection.get("expirationSeconds") or DEFAULT_SECONDS)


def token_file(wanted: Wanted, mode: int, context: VolumeContext) -> File:
    """A token for no more eyes than need be: where user or group is known, theirs alone. Raises VolumeError."""
    try:
        token = context.token(wanted)
    except TokenError as error:
        raise VolumeError(str(error)) from error
    user = context.fs_user
    guarded = user is not None or context.fs_group is not None
    return File(token.encode(), 0o600 if guarded else mode, user)
