"""From a container of a pod's spec to the ContainerConfig that a runtime gets: pure.

Everything that needs looking up (environment, volume paths, image) comes in as arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubeactors.api.meta import Object
from nodeagent.pods.environment import ConfigError
from nodeagent.pods.expansion import expand
from nodeagent.pods.resources import container_resources
from nodeagent.runtime.interface import BindMount, ContainerConfig, Image, Security

LABEL_POD_NAME = "io.kubernetes.pod.name"
LABEL_POD_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_POD_UID = "io.kubernetes.pod.uid"
LABEL_CONTAINER = "io.kubernetes.container.name"
LABEL_ATTEMPT = "io.kubernetes.container.restartCount"
LABEL_SANDBOX = "kubeactors.io/sandbox-attempt"
LABEL_IMAGE = "kubeactors.io/image"

DEFAULT_TERMINATION_LOG = "/dev/termination-log"

_PROPAGATION = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


@dataclass(frozen=True)
class Surroundings:
    """The pod's shared things, as paths on the node."""

    netns: str  # empty with hostNetwork
    hostname: str  # the kernel's name in the pod
    ipc: str
    shm: str
    hosts: str
    resolv_conf: str
    hostname_file: str
    cgroup: str
    log: str
    termination_log: str


def container_name(pod: Object, container: str, attempt: int) -> str:
    """The runtime's name of an attempt: unique on the node, and readable."""
    metadata = pod["metadata"]
    return f"k8s_{container}_{metadata['name']}_{metadata.get('namespace', '')}_{metadata['uid']}_{attempt}"


def container_config(
    pod: Object,
    container: Object,
    *,
    attempt: int,
    sandbox_attempt: int,
    image: Image,
    env: Mapping[str, str],
    volumes: Mapping[str, Path],
    subpaths: Mapping[int, Path],
    surroundings: Surroundings,
    node_memory: int,
    process_target: str = "",
) -> ContainerConfig:
    """`volumes` is volume name → path; `subpaths` has the bound paths of mounts with a subPath, by their index;
    `process_target` is the runtime's id of the container whose process namespace this one joins.

    Raises ConfigError.
    """
    spec, metadata = pod["spec"], pod["metadata"]
    if spec.get("shareProcessNamespace"):
        raise ConfigError("shareProcessNamespace is not supported by this node")
    host_network = bool(spec.get("hostNetwork"))
    mounts = _volume_mounts(container, volumes, subpaths)
    mounts += _managed_files(spec, container, surroundings, {m.destination for m in mounts})
    env = {"HOSTNAME": surroundings.hostname, **env} if not host_network else dict(env)
    command, args = container.get("command"), container.get("args")
    pod_security = spec.get("securityContext") or {}
    return ContainerConfig(
        name=container_name(pod, container["name"], attempt),
        image=container["image"],
        labels={
            LABEL_POD_NAME: metadata["name"],
            LABEL_POD_NAMESPACE: metadata.get("namespace", ""),
            LABEL_POD_UID: metadata["uid"],
            LABEL_CONTAINER: container["name"],
            LABEL_ATTEMPT: str(attempt),
            LABEL_SANDBOX: str(sandbox_attempt),
            LABEL_IMAGE: container["image"],
        },
        log_path=surroundings.log,
        command=tuple(expand(word, env) for word in command) if command else None,
        args=tuple(expand(word, env) for word in args) if args else None,
        env=env,
        working_dir=container.get("workingDir") or "",
        mounts=tuple(mounts),
        netns_path=surroundings.netns,
        ipc_path="" if spec.get("hostIPC") else surroundings.ipc,
        host_ipc=bool(spec.get("hostIPC")),
        host_pid=bool(spec.get("hostPID")),
        pid_container=process_target,
        hostname="" if host_network else surroundings.hostname,
        sysctls={s["name"]: s["value"] for s in pod_security.get("sysctls") or ()},
        cgroup_parent=surroundings.cgroup,
        resources=container_resources(pod, container, node_memory),
        security=_security(pod, container, image),
        stdin=bool(container.get("stdin")),
        tty=bool(container.get("tty")),
        stop_signal=(container.get("lifecycle") or {}).get("stopSignal") or "",
    )


def verify_non_root(pod: Object, container: Object, image: Image) -> None:
    """runAsNonRoot. Raises ConfigError with kubelet's words."""
    both = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    if not both.get("runAsNonRoot"):
        return
    where = f'pod: "{pod["metadata"]["name"]}_{pod["metadata"].get("namespace", "")}({pod["metadata"]["uid"]})", '
    where += f"container: {container['name']}"
    user = both.get("runAsUser")
    if user is not None:
        if int(user) == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy ({where})")
        return
    name = image.user.partition(":")[0]
    if name in ("", "0", "root"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root ({where})")
    if not name.isdigit():
        text = f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
        raise ConfigError(f"{text} ({where})")


def _security(pod: Object, container: Object, image: Image) -> Security:
    verify_non_root(pod, container, image)
    pod_context = pod["spec"].get("securityContext") or {}
    own = container.get("securityContext") or {}
    user = own.get("runAsUser", pod_context.get("runAsUser"))
    group = own.get("runAsGroup", pod_context.get("runAsGroup"))
    text = "" if user is None else str(user)
    if group is not None:
        text = f"{text or image.user.partition(':')[0] or '0'}:{group}"
    capabilities = own.get("capabilities") or {}
    fs_group = pod_context.get("fsGroup")
    groups = [*(pod_context.get("supplementalGroups") or ()), *([] if fs_group is None else [fs_group])]
    privileged = bool(own.get("privileged"))
    seccomp = own.get("seccompProfile") or pod_context.get("seccompProfile") or {}
    return Security(
        user=text,
        groups=tuple(groups),
        privileged=privileged,
        add_capabilities=_capabilities(capabilities.get("add") or ()),
        drop_capabilities=_capabilities(capabilities.get("drop") or ()),
        read_only_root=bool(own.get("readOnlyRootFilesystem")),
        no_new_privileges=own.get("allowPrivilegeEscalation") is False and not privileged,
        # Without a profile kubelet runs containers unconfined.
        seccomp_unconfined=privileged or seccomp.get("type") in (None, "Unconfined"),
        seccomp_profile_path=_localhost_profile(seccomp),
    )


def _capabilities(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.upper().removeprefix("CAP_") for name in names)


def _localhost_profile(seccomp: Object) -> str:
    if seccomp.get("type") != "Localhost":
        return ""
    raise ConfigError("seccomp profiles of type Localhost are not supported by this node")


def _volume_mounts(container: Object, volumes: Mapping[str, Path], subpaths: Mapping[int, Path]) -> list[BindMount]:
    mounts = []
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            raise ConfigError(f'volumeMount "{mount["name"]}" names no volume of the pod')
        source = subpaths.get(index) or volumes[mount["name"]]
        destination = mount["mountPath"]
        if not destination.startswith("/"):
            destination = f"/{destination}"
        propagation = _PROPAGATION[mount.get("mountPropagation") or "None"]
        mounts.append(BindMount(str(source), destination, bool(mount.get("readOnly")), propagation))
    return mounts


def _managed_files(spec: Object, container: Object, surroundings: Surroundings, taken: set[str]) -> list[BindMount]:
    """The files that every container of the pod shares, but for those that it mounts over itself."""
    wanted = [
        (surroundings.hosts, "/etc/hosts"),
        (surroundings.resolv_conf, "/etc/resolv.conf"),
        (surroundings.termination_log, container.get("terminationMessagePath") or DEFAULT_TERMINATION_LOG),
    ]
    if not spec.get("hostNetwork"):
        wanted.append((surroundings.hostname_file, "/etc/hostname"))
    wanted.append(("/dev/shm" if spec.get("hostIPC") else surroundings.shm, "/dev/shm"))
    # As kubelet and containerd have it: /etc/hosts stays writable on a read-only root.
    read_only = bool((container.get("securityContext") or {}).get("readOnlyRootFilesystem"))
    return [
        BindMount(source, target, read_only=read_only and target in ("/etc/resolv.conf", "/etc/hostname"))
        for source, target in wanted
        if source and target not in taken
    ]
