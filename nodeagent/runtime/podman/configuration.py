"""From what a machine can do to how Podman is to be configured on it: pure.

Podman reads the two files through CONTAINERS_CONF and CONTAINERS_STORAGE_CONF. Nothing of the user's own
configuration is changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nodeagent.runtime.podman.probe import Facts

#: conmon before this version leaves the file `oom`, by which Podman learns of an out-of-memory kill, in the directory
#: that it was started in; Podman looks in the container's bundle.
_CONMON_OOM_IN_BUNDLE = (2, 1, 8)

#: What containerd gives to containers; Podman's own default differs from version to version.
DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)

CONMON_WRAPPER = """#!/bin/sh
# Podman looks for the file `oom` in the container's bundle, conmon writes it where it stands: stand in the bundle.
previous=
for argument in "$@"; do
  if [ "$previous" = -b ]; then
    cd "$argument" || exit 1
    break
  fi
  previous=$argument
done
exec {conmon} "$@"
"""


@dataclass(frozen=True)
class Directories:
    """Where Podman keeps things. `graphroot` None: the system's own storage and run directories."""

    run_dir: str  # our own, for configuration, socket, pid file
    graphroot: str | None = None

    @property
    def tmp_dir(self) -> str:
        """Podman's tmp_dir; conmon reports exits in its subdirectory `exits`."""
        return f"{self.run_dir}/libpod" if self.graphroot else "/run/libpod"

    @property
    def socket(self) -> str:
        return f"{self.run_dir}/podman.sock"


@dataclass(frozen=True)
class PodmanConfiguration:
    """How to run Podman here. `files` is path → text, all below run_dir; the conmon wrapper must be executable."""

    files: Mapping[str, str]
    environment: Mapping[str, str]
    runtime: str  # path of the OCI runtime
    min_oom_score_adj: int  # a lower value cannot be set here


def configure(facts: Facts, directories: Directories) -> PodmanConfiguration:
    """Choose Podman's settings. Only what the machine makes necessary differs from Podman's defaults, and what the
    agent depends on: cgroup driver (we name cgroups by path), log format, events without a journal."""
    runtime_name, runtime = _runtime(facts)
    containers: dict[str, object] = {
        "default_capabilities": list(DEFAULT_CAPABILITIES),
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "log_driver": "k8s-file",
        "pids_limit": 0,
    }
    ulimits = _ulimits(facts)
    if ulimits:
        containers["default_ulimits"] = ulimits
    engine: dict[str, object] = {
        "cgroup_manager": "cgroupfs",
        "events_logger": "file",
        # Seconds for which the monitors of an exec stay after its end, so that its exit code can be asked for.
        "exit_command_delay": 3,
        "runtime": runtime_name,
    }
    files: dict[str, str] = {}
    if facts.conmon and facts.conmon_version < _CONMON_OOM_IN_BUNDLE:
        wrapper = f"{directories.run_dir}/conmon"
        files[wrapper] = CONMON_WRAPPER.format(conmon=facts.conmon)
        engine["conmon_path"] = [wrapper]
    environment = {"CONTAINERS_CONF": f"{directories.run_dir}/containers.conf"}
    if directories.graphroot:
        engine["tmp_dir"] = directories.tmp_dir
        engine["static_dir"] = f"{directories.graphroot}/libpod"
        engine["volume_path"] = f"{directories.graphroot}/volumes"
        storage = {
            "driver": "overlay" if facts.overlay else "vfs",
            "graphroot": directories.graphroot,
            "runroot": f"{directories.run_dir}/storage",
        }
        storage_conf = f"{directories.run_dir}/storage.conf"
        files[storage_conf] = _toml({"storage": storage})
        environment["CONTAINERS_STORAGE_CONF"] = storage_conf
    files[environment["CONTAINERS_CONF"]] = _toml({"containers": containers, "engine": engine})
    # Going below the score that a privileged process gave last needs CAP_SYS_RESOURCE.
    floor = -1000 if facts.may_raise_limits else 0
    return PodmanConfiguration(files, environment, runtime, floor)


def _runtime(facts: Facts) -> tuple[str, str]:
    """crun is faster, but refuses machines whose version 1 controllers have a unified hierarchy beside them."""
    if facts.crun and (facts.cgroups != "hybrid" or not facts.runc):
        return "crun", facts.crun
    assert facts.runc is not None  # observe() made sure that there is one
    return "runc", facts.runc


def _ulimits(facts: Facts) -> list[str]:
    """Podman asks for more files and processes than a process without CAP_SYS_RESOURCE may have."""
    if facts.may_raise_limits:
        return []
    limits = []
    if facts.nofile_hard >= 0:
        limits.append(f"nofile={facts.nofile_hard}:{facts.nofile_hard}")
    if facts.nproc_hard >= 0:
        # Podman lowers its own limit of processes to the machine's highest process id, and cannot raise it again.
        nproc = min(facts.nproc_hard, facts.pid_max)
        limits.append(f"nproc={nproc}:{nproc}")
    return limits


def _toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """A TOML document of strings, numbers and lists of strings, whose JSON form TOML shares."""
    lines = []
    for table, values in tables.items():
        lines.append(f"[{table}]")
        lines += [f"{key} = {_value(value)}" for key, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)
