"""Any CNI plugin in the place of the node's own network: `NetworkPlugin` by executing a CNI network configuration list.

As CNI runtimes do: the namespace is ours, the executables of the list put links into it one after the other, each
with its predecessor's result; CHECK and DEL get the last one. `${POD_CIDR}` in the list stands for the node's address
range. The service proxy stays ours. CNI specification 1.1, https://www.cni.dev/docs/spec/.
"""

import asyncio
import dataclasses
import logging
import os
import shutil
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from kubeactors.client import AsyncClient, InformerFactory
from netplugin import links, netns
from netplugin.config import NetworkConfig
from netplugin.interface import HostPort, NetworkError, NotConfigured, PodNetwork, PodRequest
from netplugin.names import Names
from netplugin.pods import NETNS_DIR
from netplugin.proxy.backend import BackendError
from netplugin.proxy.choose import make_proxier, purge_backends
from netplugin.ranges import load_ranges, remove_ranges, save_ranges
from netplugin.threads import NodeThreads

logger = logging.getLogger(__name__)

_TIMEOUT = 60.0  # seconds for one executable
_WORKERS = 8
_LINK = "eth0"


class CniPlugin:
    """`netplugin.interface.NetworkPlugin` over the executables that `config.cni_conflist` names.

    `namespace` is the file of the network namespace that is the node, when that is not the process's own.
    """

    def __init__(self, client: AsyncClient, config: NetworkConfig, *, namespace: str | None = None) -> None:
        """Raises NetworkError when the configuration list cannot be used."""
        if config.cni_conflist is None:
            raise NetworkError("no CNI configuration list is given")
        self._config = config
        self._names = Names(config.cluster_name, config.node_name)
        self._template = _read_list(config.cni_conflist)
        self._results = config.run_dir / "cni"
        self._pod_cidr = next(iter(load_ranges(config.state_dir)), None)
        self._threads = NodeThreads("cni", _WORKERS, namespace)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._informers = InformerFactory(client)
        self._proxier = make_proxier(config, self._names, self._informers, namespace, masquerade=False)

    async def start(self) -> None:
        await self._threads.run(self._find_executables)
        try:
            await self._proxier.start(serve=self._config.proxy_mode != "none")
        except BackendError as error:
            raise NetworkError(f"the service proxy cannot start: {error}") from error
        await self._informers.start()

    async def stop(self) -> None:
        await self._informers.stop()
        await self._proxier.stop()
        await self._threads.close()

    async def health(self) -> dict[str, str]:
        try:
            await self._threads.run(self._find_executables)
            network = (
                "ok" if self._pod_cidr is not None or not self._needs_range() else "the pod range is not known yet"
            )
        except NetworkError as error:
            network = str(error)
        return {"pod network (CNI)": network, **await self._proxier.health()}

    async def configure(self, pod_cidrs: Sequence[str]) -> None:
        if not pod_cidrs:
            raise NetworkError("the node has no pod range")
        await self._threads.run(save_ranges, self._config.state_dir, pod_cidrs)
        self._pod_cidr = pod_cidrs[0]

    async def add(self, pod: PodRequest) -> PodNetwork:
        async with self._lock(pod.uid):
            try:
                return await self._threads.run(self._add, pod)
            except asyncio.CancelledError:
                await self._threads.run(self._delete, pod.uid)
                raise

    async def check(self, pod: PodRequest) -> PodNetwork | None:
        return await self._threads.run(self._check, pod)

    async def mend(self, pod: PodRequest) -> PodNetwork | None:
        """As `check`: CNI has no verb for repairing a network in place."""
        return await self.check(pod)

    async def delete(self, uid: str) -> None:
        async with self._lock(uid):
            await self._threads.run(self._delete, uid)

    async def pods(self) -> list[str]:
        return await self._threads.run(self._uids)

    async def purge(self) -> None:
        """Give every pod's network back through its executables, then remove what is ours. Raises NetworkError."""
        await self._threads.run(self._remove_everything)

    # -- in worker threads -----------------------------------------------------------------------------------------

    def _add(self, pod: PodRequest) -> PodNetwork:
        if self._needs_range() and self._pod_cidr is None:
            raise NotConfigured("the node's pod range is not known yet")
        present = self._check(pod)
        if present is not None:
            return present
        self._delete(pod.uid)
        path = self._netns(pod.uid)
        self._results.mkdir(parents=True, exist_ok=True)
        NETNS_DIR.mkdir(parents=True, exist_ok=True)
        # Written first, so that a crash at any point leaves something that pods() lists and delete() finds.
        self._save(pod, {})
        try:
            netns.create(path, _loopback_up)
            result: dict[str, Any] = {}
            for plugin in self._plugins(pod):
                result = self._execute("ADD", plugin, pod, result) or result
            self._save(pod, result)
            return PodNetwork(str(path), _addresses(result))
        except (OSError, NetworkError) as error:
            try:
                self._delete(pod.uid)
            except NetworkError:
                logger.exception("after %r: what was made of pod %s/%s's network stays", error, pod.namespace, pod.name)
            if isinstance(error, NetworkError):
                raise
            raise NetworkError(f"network of pod {pod.namespace}/{pod.name} cannot be made: {error}") from error

    def _check(self, pod: PodRequest) -> PodNetwork | None:
        saved = self._load(pod.uid)
        path = self._netns(pod.uid)
        if saved is None or not saved[1] or not netns.exists(path):
            return None
        _, result = saved
        try:
            for plugin in self._plugins(pod):
                self._execute("CHECK", plugin, pod, result)
        except NetworkError as error:
            logger.warning("network of pod %s/%s is not whole: %s", pod.namespace, pod.name, error)
            return None
        return PodNetwork(str(path), _addresses(result))

    def _delete(self, uid: str) -> None:
        saved = self._load(uid)
        path = self._netns(uid)
        if saved is not None:
            pod, result = saved
            for plugin in reversed(self._plugins(pod)):
                self._execute("DEL", plugin, pod, result)
        try:
            netns.remove(path)
            self._result_path(uid).unlink(missing_ok=True)
        except OSError as error:
            raise NetworkError(f"network of pod {uid} cannot be removed: {error}") from error

    def _uids(self) -> list[str]:
        prefix = self._names.netns_prefix
        found = {path.name.removeprefix(prefix) for path in NETNS_DIR.glob(f"{prefix}*")}
        found.update(path.stem for path in self._results.glob("*.json"))
        return sorted(found)

    def _remove_everything(self) -> None:
        failures: list[str] = []
        for uid in self._uids():
            try:
                self._delete(uid)
            except NetworkError as error:
                failures.append(str(error))
        try:
            purge_backends(self._config, self._names)
        except BackendError as error:
            failures.append(str(error))
        remove_ranges(self._config.state_dir)
        if self._results.is_dir() and not any(self._results.iterdir()):
            self._results.rmdir()
        if failures:
            raise NetworkError(f"not all of the network could be removed: {'; '.join(failures)}")

    def _execute(
        self, command: str, plugin: dict[str, Any], pod: PodRequest, previous: dict[str, Any]
    ) -> dict[str, Any]:
        """One call of one executable. Raises NetworkError with the executable's own words."""
        path = self._netns(pod.uid)
        config = {**plugin, **({"prevResult": previous} if previous else {})}
        # DEL must work when the namespace is gone; then the parameter is left out.
        namespace = str(path) if command != "DEL" or netns.exists(path) else ""
        environment = {
            **os.environ,
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod.uid,
            "CNI_NETNS": namespace,
            "CNI_IFNAME": _LINK,
            "CNI_PATH": os.pathsep.join(map(str, self._config.cni_bin_dirs)),
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={pod.namespace};K8S_POD_NAME={pod.name};"
            f"K8S_POD_INFRA_CONTAINER_ID={pod.uid};K8S_POD_UID={pod.uid}",
        }
        executable = self._executable(plugin["type"])
        try:
            done = subprocess.run(
                [executable],
                input=orjson.dumps(config),
                env=environment,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NetworkError(f"CNI {command} by {executable}: {error}") from error
        if done.returncode != 0:
            raise NetworkError(f"CNI {command} by {executable}: {_failure(done)}")
        try:
            result: dict[str, Any] = orjson.loads(done.stdout) if done.stdout.strip() else {}
        except orjson.JSONDecodeError as error:
            raise NetworkError(f"CNI {command} by {executable}: its result is no JSON: {error}") from error
        return result

    def _plugins(self, pod: PodRequest) -> list[dict[str, Any]]:
        """The configuration of each executable, for this pod."""
        text = orjson.dumps(self._template).decode().replace("${POD_CIDR}", self._pod_cidr or "")
        network = orjson.loads(text)
        plugins: list[dict[str, Any]] = []
        for plugin in network["plugins"]:
            config = {**plugin, "name": network["name"], "cniVersion": network["cniVersion"]}
            capabilities = config.pop("capabilities", None) or {}
            if capabilities.get("portMappings") and pod.host_ports:
                config["runtimeConfig"] = {"portMappings": [_port_mapping(port) for port in pod.host_ports]}
            plugins.append(config)
        return plugins

    def _needs_range(self) -> bool:
        return b"${POD_CIDR}" in orjson.dumps(self._template)

    def _find_executables(self) -> None:
        for plugin in self._template["plugins"]:
            self._executable(plugin["type"])

    def _executable(self, kind: str) -> str:
        found = shutil.which(kind, path=os.pathsep.join(map(str, self._config.cni_bin_dirs)))
        if found is None:
            raise NetworkError(f"CNI plugin {kind!r} is in none of {', '.join(map(str, self._config.cni_bin_dirs))}")
        return found

    def _save(self, pod: PodRequest, result: dict[str, Any]) -> None:
        path = self._result_path(pod.uid)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(orjson.dumps({"pod": dataclasses.asdict(pod), "result": result}))
        temporary.replace(path)

    def _load(self, uid: str) -> tuple[PodRequest, dict[str, Any]] | None:
        """The pod and the last executable's result (empty while ADD has not ended)."""
        path = self._result_path(uid)
        try:
            saved = orjson.loads(path.read_bytes())
            pod = saved["pod"]
            ports = tuple(HostPort(**port) for port in pod["host_ports"])
            return PodRequest(pod["namespace"], pod["name"], pod["uid"], ports), saved["result"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("result %s of a pod's network cannot be read: %s", path, error)
            return PodRequest("", "", uid), {}

    def _result_path(self, uid: str) -> Path:
        if not uid or "/" in uid or uid.startswith("."):
            raise NetworkError(f"{uid!r} is no pod uid")
        return self._results / f"{uid}.json"

    def _netns(self, uid: str) -> Path:
        return NETNS_DIR / self._names.netns(uid)

    def _lock(self, uid: str) -> asyncio.Lock:
        return self._locks.setdefault(uid, asyncio.Lock())


def _read_list(path: Path) -> dict[str, Any]:
    try:
        network: dict[str, Any] = orjson.loads(path.read_bytes())
        if not network["plugins"] or not network["name"] or not network["cniVersion"]:
            raise KeyError("empty")
        if not all(plugin["type"] for plugin in network["plugins"]):
            raise KeyError("type")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NetworkError(f"{path} is no CNI configuration list: {error!r}") from error
    return network


def _loopback_up() -> None:
    with links.open_route_socket() as sock:
        sock.request(links.set_up(1))


def _addresses(result: dict[str, Any]) -> tuple[str, ...]:
    return tuple(entry["address"].partition("/")[0] for entry in result.get("ips", ()))


def _port_mapping(port: HostPort) -> dict[str, Any]:
    return {
        "hostPort": port.host_port,
        "containerPort": port.container_port,
        "protocol": port.protocol.lower(),
        "hostIP": port.host_ip,
    }


def _failure(done: subprocess.CompletedProcess[bytes]) -> str:
    try:
        error = orjson.loads(done.stdout)
        return f"{error['msg']} {error.get('details', '')}".strip() + f" (code {error['code']})"
    except (ValueError, KeyError, TypeError):
        return (done.stderr or done.stdout).decode(errors="replace").strip() or f"status {done.returncode}"
