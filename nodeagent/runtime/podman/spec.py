"""From a ContainerConfig to the body of Podman's `POST /containers/create` (its SpecGenerator): pure."""

from typing import Any

from nodeagent.runtime.interface import BindMount, ContainerConfig, Resources


def create_body(config: ContainerConfig, *, min_oom_score_adj: int = -1000) -> dict[str, Any]:
    """The body that makes Podman create this container."""
    security = config.security
    body: dict[str, Any] = {
        "name": config.name,
        "image": config.image,
        "labels": dict(config.labels),
        "env": dict(config.env),
        # What Podman would add on its own.
        "unsetenv": [name for name in ("container", "TERM") if name not in config.env],
        "httpproxy": False,
        "systemd": "false",
        "use_image_hosts": True,
        "use_image_resolve_conf": True,
        "image_volume_mode": "ignore",
        "netns": {"nsmode": "path", "value": config.netns_path} if config.netns_path else {"nsmode": "host"},
        "cgroup_parent": config.cgroup_parent,
        "log_configuration": {"driver": "k8s-file", "path": config.log_path},
        "mounts": [_mount(m) for m in config.mounts],
        "resource_limits": resource_limits(config.resources),
        "privileged": security.privileged,
        "read_only_filesystem": security.read_only_root,
        "no_new_privileges": security.no_new_privileges,
        "restart_policy": "no",
    }
    if config.command is not None:
        body["entrypoint"] = list(config.command)
    if config.args is not None:
        body["command"] = list(config.args)
    if config.working_dir:
        body["work_dir"] = config.working_dir
        body["create_working_dir"] = True
    if config.hostname:
        body["hostname"] = config.hostname
    else:
        body["utsns"] = {"nsmode": "host"}
    if config.host_ipc:
        body["ipcns"] = {"nsmode": "host"}
    elif config.ipc_path:
        body["ipcns"] = {"nsmode": "path", "value": config.ipc_path}
    if config.host_pid:
        body["pidns"] = {"nsmode": "host"}
    elif config.pid_container:
        body["pidns"] = {"nsmode": "container", "value": config.pid_container}
    if config.sysctls:
        body["sysctl"] = dict(config.sysctls)
    if config.devices:
        body["devices"] = [{"path": path} for path in config.devices]
    if config.resources.oom_score_adj is not None:
        body["oom_score_adj"] = max(config.resources.oom_score_adj, min_oom_score_adj)
    if security.user:
        body["user"] = security.user
    if security.groups:
        body["groups"] = [str(g) for g in security.groups]
    if security.add_capabilities:
        body["cap_add"] = list(security.add_capabilities)
    if security.drop_capabilities:
        body["cap_drop"] = list(security.drop_capabilities)
    if security.seccomp_unconfined:
        body["seccomp_profile_path"] = "unconfined"
    elif security.seccomp_profile_path:
        body["seccomp_profile_path"] = security.seccomp_profile_path
    if config.stdin:
        body["stdin"] = True
    if config.tty:
        body["terminal"] = True
    if config.stop_signal:
        body["stop_signal"] = config.stop_signal
    return body


def _mount(mount: BindMount) -> dict[str, Any]:
    options = ["rbind", "ro" if mount.read_only else "rw", mount.propagation]
    return {"type": "bind", "source": mount.source, "destination": mount.destination, "options": options}


def resource_limits(resources: Resources) -> dict[str, Any]:
    """In the words of the OCI runtime specification."""
    limits: dict[str, Any] = {}
    cpu: dict[str, int] = {}
    if resources.cpu_shares is not None:
        cpu["shares"] = resources.cpu_shares
    if resources.cpu_quota is not None:
        cpu["quota"] = resources.cpu_quota
        cpu["period"] = resources.cpu_period
    if cpu:
        limits["cpu"] = cpu
    if resources.memory_limit is not None:
        # Memory and swap together: Podman would allow as much swap again, Kubernetes allows none (KEP-2400, NoSwap).
        limits["memory"] = {"limit": resources.memory_limit, "swap": resources.memory_limit}
    return limits
