"""`python -m netplugin.cni`: the same pod network as a CNI executable, for runtimes other than the node agent.

CNI specification 1.1 (https://www.cni.dev/docs/spec/): ADD, DEL, CHECK, GC, STATUS and VERSION by environment and
standard input, results and errors as JSON on standard output. The configuration's own fields are those of
NetworkConfig:

    {"cniVersion": "1.1.0", "name": "pods", "type": "kubeactors", "clusterName": "kubeactors", "nodeName": "a",
     "nodeIP": "192.0.2.1", "stateDir": "…", "runDir": "…", "podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.1.0/24"]}

Without `podCIDRs` the ranges are those that the node agent was told last.
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson

from netplugin import bridge, links
from netplugin.config import NetworkConfig
from netplugin.interface import NetworkError, NotConfigured, PodRequest
from netplugin.ipam import RangeExhausted, gateway
from netplugin.names import Names
from netplugin.pods import PodNetworks, PodRecord
from netplugin.ranges import load_ranges

VERSIONS = ("0.4.0", "1.0.0", "1.1.0")

# Error codes of the specification; from 100 on they are a plugin's own.
INCOMPATIBLE_VERSION, UNKNOWN_CONTAINER, INVALID_ENVIRONMENT, IO_FAILURE, DECODING_FAILURE, INVALID_CONFIG = (
    1,
    3,
    4,
    5,
    6,
    7,
)
TRY_AGAIN_LATER, NOT_AVAILABLE = 11, 50
NOT_WHOLE, NO_ADDRESS = 100, 101


class CniError(Exception):
    """An error result."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


@dataclass(frozen=True)
class Call:
    """What a runtime asks: the command and its parameters."""

    command: str
    container: str
    namespace: str
    link: str
    arguments: Mapping[str, str]
    config: dict[str, Any]

    @property
    def version(self) -> str:
        return str(self.config.get("cniVersion", VERSIONS[0]))

    @property
    def key(self) -> str:
        """What stands for a pod's uid: the container, and its link where that is not the usual one."""
        return self.container if self.link == "eth0" else f"{self.container}.{self.link}"


def parse_call(environment: Mapping[str, str], text: bytes) -> Call:
    """Raises CniError."""
    command = environment.get("CNI_COMMAND", "")
    needed = {
        "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
        "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
        "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
        "GC": (),
        "STATUS": (),
        "VERSION": (),
    }
    if command not in needed:
        raise CniError(INVALID_ENVIRONMENT, f"CNI_COMMAND is {command!r}, none of {', '.join(needed)}")
    missing = [name for name in needed[command] if not environment.get(name)]
    if missing:
        raise CniError(INVALID_ENVIRONMENT, f"{command} needs {', '.join(missing)}")
    try:
        config = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CniError(DECODING_FAILURE, f"the configuration is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise CniError(DECODING_FAILURE, "the configuration is no JSON object")
    pairs = [pair.partition("=") for pair in environment.get("CNI_ARGS", "").split(";") if pair]
    return Call(
        command=command,
        container=environment.get("CNI_CONTAINERID", ""),
        namespace=environment.get("CNI_NETNS", ""),
        link=environment.get("CNI_IFNAME", ""),
        arguments={name: value for name, _, value in pairs},
        config=config,
    )


def network_config(config: Mapping[str, Any]) -> NetworkConfig:
    """Raises CniError."""
    fields = {
        "clusterName": "cluster_name",
        "nodeName": "node_name",
        "nodeIP": "node_ip",
        "podCIDR": "pod_cidr",
        "serviceCIDR": "service_cidr",
        "mtu": "mtu",
    }
    paths = {"stateDir": "state_dir", "runDir": "run_dir"}
    given: dict[str, Any] = {ours: config[theirs] for theirs, ours in fields.items() if theirs in config}
    given |= {ours: Path(config[theirs]) for theirs, ours in paths.items() if theirs in config}
    missing = [theirs for theirs in ("nodeName", "nodeIP") if theirs not in config]
    if missing:
        raise CniError(INVALID_CONFIG, f"the configuration lacks {', '.join(missing)}")
    return NetworkConfig(**given)


class CniNetwork:
    """Carries out calls."""

    def __init__(self, call: Call) -> None:
        """Raises CniError."""
        self._call = call
        self._config = network_config(call.config)
        self._names = Names(self._config.cluster_name, self._config.node_name)
        self._pods = PodNetworks(self._config, self._names, time.time)

    def run(self) -> dict[str, Any] | None:
        """The result to print, if any. Raises CniError."""
        actions = {"ADD": self._add, "DEL": self._del, "CHECK": self._check, "GC": self._gc, "STATUS": self._status}
        try:
            return actions[self._call.command]()
        except RangeExhausted as error:
            raise CniError(NO_ADDRESS, str(error)) from error
        except NotConfigured as error:
            raise CniError(TRY_AGAIN_LATER, str(error)) from error
        except NetworkError as error:
            raise CniError(INVALID_CONFIG if self._call.command == "STATUS" else IO_FAILURE, str(error)) from error
        except OSError as error:
            raise CniError(IO_FAILURE, str(error)) from error

    def _set_up(self) -> None:
        cidrs = self._call.config.get("podCIDRs") or load_ranges(self._config.state_dir)
        if not cidrs:
            raise NotConfigured("the node's pod range is not known yet")
        ranges = bridge.parse_ranges(cidrs)
        self._pods.configure(ranges, bridge.set_up(self._config, self._names, ranges))

    def _add(self) -> dict[str, Any]:
        call = self._call
        pod = PodRequest(
            namespace=call.arguments.get("K8S_POD_NAMESPACE", ""),
            name=call.arguments.get("K8S_POD_NAME", call.container),
            uid=call.key,
        )
        self._set_up()
        return self._result(self._pods.add(pod, Path(call.namespace), call.link))

    def _del(self) -> None:
        self._pods.delete(self._call.key)

    def _check(self) -> None:
        call = self._call
        previous = call.config.get("prevResult")
        if not isinstance(previous, dict):
            raise CniError(INVALID_CONFIG, "CHECK needs prevResult")
        record = self._pods.check(call.key)
        if record is None:
            raise CniError(NOT_WHOLE, f"the network of container {call.container} is not whole")
        had = {str(entry.get("address", "")).partition("/")[0] for entry in previous.get("ips", ())}
        if not set(record.ips) <= had:
            raise CniError(NOT_WHOLE, f"container {call.container} has addresses {record.ips}, prevResult says {had}")

    def _gc(self) -> None:
        listed = self._call.config.get("cni.dev/valid-attachments", self._call.config.get("cni.dev/attachments", []))
        valid = {(entry["containerID"], entry["ifname"]) for entry in listed}
        for record in self._pods.records():
            container = record.request.uid.removesuffix(f".{record.link}")
            if not record.owns_netns and (container, record.link) not in valid:
                self._pods.delete(record.request.uid)

    def _status(self) -> None:
        try:
            self._set_up()
        except NotConfigured as error:
            raise CniError(NOT_AVAILABLE, str(error)) from error

    def _result(self, record: PodRecord) -> dict[str, Any]:
        with links.open_route_socket() as sock:
            found = (links.find_link(sock, name) for name in (self._names.bridge, self._names.veth(record.request.uid)))
            interfaces: list[dict[str, Any]] = [
                {"name": link.name, "mac": link.mac} for link in found if link is not None
            ]
        interfaces.append({"name": record.link, "mac": links.mac_for(record.ips[0]), "sandbox": record.netns})
        ranges = bridge.parse_ranges(self._call.config.get("podCIDRs") or load_ranges(self._config.state_dir))
        ips: list[dict[str, Any]] = []
        for address, node_range in zip(record.ips, ranges, strict=True):
            entry = {
                "address": f"{address}/{node_range.prefixlen}",
                "gateway": str(gateway(node_range)),
                "interface": len(interfaces) - 1,
            }
            if self._call.version.startswith("0."):
                entry["version"] = "4"
            ips.append(entry)
        routes = [{"dst": "0.0.0.0/0", "gw": str(gateway(ranges[0]))}]
        return {"cniVersion": self._call.version, "interfaces": interfaces, "ips": ips, "routes": routes, "dns": {}}


def answer(environment: Mapping[str, str], text: bytes) -> dict[str, Any] | None:
    """The result of one call. Raises CniError."""
    if environment.get("CNI_COMMAND") == "VERSION":
        # Runtimes ask with a configuration of a version alone, or with none.
        version = VERSIONS[-1]
        if text.strip():
            version = parse_call(environment, text).config.get("cniVersion", version)
        return {"cniVersion": version, "supportedVersions": list(VERSIONS)}
    call = parse_call(environment, text)
    if call.version not in VERSIONS:
        raise CniError(INCOMPATIBLE_VERSION, f"version {call.version} is none of {', '.join(VERSIONS)}")
    return CniNetwork(call).run()


def main() -> NoReturn:
    """One call, as the process's environment and standard input say."""
    try:
        result = answer(os.environ, sys.stdin.buffer.read())
    except CniError as error:
        failure = {"cniVersion": VERSIONS[-1], "code": error.code, "msg": error.message, "details": error.details}
        sys.stdout.buffer.write(orjson.dumps(failure))
        sys.exit(1)
    if result is not None:
        sys.stdout.buffer.write(orjson.dumps(result))
    sys.exit(0)


if __name__ == "__main__":
    main()
