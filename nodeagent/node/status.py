"""The Node object as this agent writes it: pure."""

from collections.abc import Mapping

from kubeactors.api.meta import Object, get_condition
from nodeagent.config import NodeAgentConfig
from nodeagent.node.machine import Machine
from nodeagent.pods.status import rfc3339
from nodeagent.runtime.interface import Version


def node_object(config: NodeAgentConfig, machine: Machine) -> Object:
    """The node as it is created, without status."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": config.node_name, "labels": node_labels(config, machine)},
        "spec": {},
    }


def node_labels(config: NodeAgentConfig, machine: Machine) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": "linux",
        **config.labels,
    }


def node_status(
    node: Object,
    config: NodeAgentConfig,
    machine: Machine,
    runtime: Version,
    port: int,
    problems: Mapping[str, str],
    now: float,
) -> Object:
    """The status to write. `problems` is check → what is wrong, for the Ready condition."""
    return {
        "addresses": [
            {"type": "InternalIP", "address": config.node_ip},
            {"type": "Hostname", "address": config.node_name},
        ],
        "allocatable": machine.allocatable(config),
        "capacity": machine.capacity(config),
        "conditions": node_conditions(node, problems, now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": f"{runtime.name}://{runtime.version}",
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": config.kubernetes_version,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": machine.system_uuid,
        },
    }


def node_conditions(node: Object, problems: Mapping[str, str], now: float) -> list[Object]:
    """Pressure conditions and Ready, in kubelet's words and order."""
    if problems:
        wrong = ", ".join(_problem(check, text) for check, text in sorted(problems.items()))
        ready = _condition(node, "Ready", "False", "KubeletNotReady", f"[{wrong}]" if len(problems) > 1 else wrong, now)
    else:
        ready = _condition(node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", now)
    memory = "kubelet has sufficient memory available"
    disk, pids = "kubelet has no disk pressure", "kubelet has sufficient PID available"
    return [
        _condition(node, "MemoryPressure", "False", "KubeletHasSufficientMemory", memory, now),
        _condition(node, "DiskPressure", "False", "KubeletHasNoDiskPressure", disk, now),
        _condition(node, "PIDPressure", "False", "KubeletHasSufficientPID", pids, now),
        ready,
    ]


def differs(present: Object, wanted: Object) -> bool:
    """Whether anything but heartbeat times differs."""
    return _without_heartbeats(present, wanted) != _without_heartbeats(wanted, wanted)


def _problem(check: str, text: str) -> str:
    if check == "network":
        reason = "reason:NetworkPluginNotReady message:Network plugin returns error: "
        return f"container runtime network not ready: NetworkReady=false {reason}{text}"
    return f"{check} not ready: {text}"


def _condition(node: Object, type: str, status: str, reason: str, message: str, now: float) -> Object:
    before = get_condition(node, type)
    time = rfc3339(now)
    same = before is not None and before.get("status") == status
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": time,
        "lastTransitionTime": (before or {}).get("lastTransitionTime") or time if same else time,
    }


def _without_heartbeats(status: Object, wanted: Object) -> Object:
    plain = {key: status.get(key) for key in wanted}
    types = {condition["type"] for condition in wanted["conditions"]}
    plain["conditions"] = {
        c["type"]: {k: v for k, v in c.items() if k != "lastHeartbeatTime"}
        for c in status.get("conditions") or ()
        if c["type"] in types
    }
    return plain
