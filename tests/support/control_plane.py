"""A real store and a real API server in processes of their own, on free loopback ports, with a throwaway PKI.

    async with control_plane(tmp_path) as plane:
        client = AsyncClient([plane.grpc_endpoint], plane.tls())
        await plane.kubectl("get", "namespaces")     # unmodified kubectl

Everything lies below the given directory. Processes are killed on the way out, whatever happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from kubeactors.client.tls import TlsConfig
from kubeactors.pki import kubeconfig
from kubeactors.pki.authority import Authority, Identity
from kubeactors.pki.cluster import ClusterPki
from tests.support.etcd_process import etcd_binary
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
KUBECTL = Path(sys.executable).with_name("kubectl")
HOST = "127.0.0.1"
START_TIMEOUT = 30.0
Store = Literal["own", "etcd", "none"]
STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Completed:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str


@dataclass
class ControlPlane:
    """A running control plane. `config` are the fields of ApiServerConfig."""

    directory: Path
    pki: ClusterPki
    store_port: int
    config: dict[str, Any]
    store: Store = "own"
    https_port: int = 0
    grpc_port: int = 0
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the REST API is."""
        return f"https://{HOST}:{self.https_port}"

    @property
    def grpc_endpoint(self) -> str:
        """Where the gRPC API is."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.conf"

    def tls(self, user: str = "admin") -> TlsConfig:
        """What a client shows as "admin", "scheduler", "controller-manager" or a user of `add_user`."""
        return TlsConfig(ca_file=self.pki.ca, cert_file=self.pki.certificate(user), key_file=self.pki.key(user))

    def ssl_context(self, user: str | None = "admin") -> ssl.SSLContext:
        """The same for HTTPS; None for a client without a certificate."""
        context = ssl.create_default_context(cafile=self.pki.ca)
        if user is not None:
            context.load_cert_chain(self.pki.certificate(user), self.pki.key(user))
        return context

    def add_user(self, name: str, groups: tuple[str, ...] = ()) -> None:
        """Make a certificate for a user."""
        authority = Authority.load(self.pki.ca, self.pki.directory / "ca.key")
        pair = authority.issue(Identity(name, groups, client=True), datetime.now(UTC))
        self.pki.certificate(name).write_bytes(pair.certificate)
        self.pki.key(name).write_bytes(pair.key)

    async def kubectl(
        self, *arguments: str, stdin: str = "", timeout: float = 30, env: Mapping[str, str] | None = None
    ) -> Completed:
        """Run kubectl as the administrator. Raises TimeoutError (and kills it) when it takes too long."""
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.directory,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory), **(env or {})},
        )
        try:
            async with asyncio.timeout(timeout):
                stdout, stderr = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Completed(process.returncode or 0, stdout.decode(), stderr.decode())

    async def start_store(self) -> None:
        """Start the store and wait until it accepts connections."""
        url = f"https://{HOST}:{self.store_port}"
        arguments = [
            *("--name", "m0", "--data-dir", str(self.directory / "store")),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--cert-file", str(self.pki.certificate("etcd/server"))),
            *("--key-file", str(self.pki.key("etcd/server"))),
            *("--trusted-ca-file", str(self.pki.store_ca)),
        ]
        if self.store == "etcd":
            peer = f"http://{HOST}:{free_port()}"
            arguments += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
            arguments += ["--initial-cluster", f"m0={peer}", "--client-cert-auth", "--log-level", "warn"]
            await self._spawn("store", str(etcd_binary()), *arguments)
        else:
            await self._spawn("store", sys.executable, "-m", "kubeactors.store", *arguments)
        await self._until("store", lambda: _accepts(self.store_port))

    async def start_apiserver(self) -> None:
        """Start the API server and wait until it serves. Its ports stay the same over restarts."""
        ready = self.directory / "apiserver.ready"
        ready.unlink(missing_ok=True)
        self.config.update(https_port=self.https_port, grpc_port=self.grpc_port)
        path = self.directory / "apiserver.yaml"
        path.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "kubeactors.apiserver", "--config", str(path), "--ready-file", str(ready)]
        await self._spawn("apiserver", *command)
        await self._until("apiserver", ready.exists)
        ports = json.loads(ready.read_text())
        self.https_port, self.grpc_port = ports["https"], ports["grpc"]
        self._write_kubeconfig()

    async def stop_process(self, name: str, number: int = signal.SIGTERM) -> None:
        """End "store" or "apiserver" by a signal and wait for its end."""
        process = self._processes.pop(name)
        if process.returncode is None:
            process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"{name} did not end within {STOP_TIMEOUT} s:\n{self.log(name)}") from None

    async def restart_apiserver(self, number: int = signal.SIGTERM) -> None:
        """End the API server and start it again on the same ports."""
        await self.stop_process("apiserver", number)
        await self.start_apiserver()

    async def restart_store(self, number: int = signal.SIGTERM) -> None:
        """End the store and start it again on the same port and data."""
        await self.stop_process("store", number)
        await self.start_store()

    def pid(self, name: str) -> int:
        """The process id of "store" or "apiserver"."""
        return self._processes[name].pid

    def log(self, name: str) -> str:
        """The end of what a process wrote."""
        return (self.directory / f"{name}.log").read_text(errors="replace")[-5000:]

    async def stop(self) -> None:
        """Kill what still runs."""
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        self._processes.clear()

    async def _spawn(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def _until(self, name: str, ready: Any) -> None:
        """Wait for another process; it has no other way to tell than a file or a socket."""
        process = self._processes[name]
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not ready():
                    if process.returncode is not None:
                        raise AssertionError(f"{name} ended with {process.returncode}:\n{self.log(name)}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{name} was not ready within {START_TIMEOUT} s:\n{self.log(name)}") from None

    def _write_kubeconfig(self) -> None:
        document = kubeconfig.render(
            "test",
            self.url,
            "kubernetes-admin",
            self.pki.ca.read_bytes(),
            self.pki.certificate("admin").read_bytes(),
            self.pki.key("admin").read_bytes(),
        )
        self.kubeconfig.write_bytes(document)


@contextlib.asynccontextmanager
async def control_plane(
    directory: Path, store: Store = "own", names: Sequence[str] = (), **config: Any
) -> AsyncIterator[ControlPlane]:
    """Start a store and an API server below `directory`; `config` sets fields of ApiServerConfig.

    `names` are further ones that the server's certificate has. `store` "etcd" takes a real etcd in the place
    of the project's own store.
    """
    pki = ClusterPki(directory / "pki")
    known = (HOST, "localhost", "kubernetes", "kubernetes.default.svc", "10.96.0.1")
    pki.ensure([*known, *names], (HOST, "localhost"), datetime.now(UTC))
    store_port = free_port()
    store_tls = {
        "ca": str(pki.store_ca),
        "cert": str(pki.certificate("apiserver-etcd-client")),
        "key": str(pki.key("apiserver-etcd-client")),
    }
    fields: dict[str, Any] = {
        "advertise_address": "192.0.2.10",  # endpoints may not be loopback addresses
        "bind_address": HOST,
        "store_endpoints": [f"https://{HOST}:{store_port}"],
        "store_tls": store_tls,
        "tls_cert": str(pki.certificate("apiserver")),
        "tls_key": str(pki.key("apiserver")),
        "client_ca": str(pki.ca),
        "kubelet_client_cert": str(pki.certificate("apiserver-kubelet-client")),
        "kubelet_client_key": str(pki.key("apiserver-kubelet-client")),
        "requestheader_client_ca": str(pki.front_proxy_ca),
        "proxy_client_cert": str(pki.certificate("front-proxy-client")),
        "proxy_client_key": str(pki.key("front-proxy-client")),
        # No controller makes accounts here, unless the test starts one and has the plugin.
        "disable_admission_plugins": ["ServiceAccount"],
        "service_account_key": str(pki.service_account_key),
        "service_account_public_key": str(pki.service_account_public_key),
        **config,
    }
    plane = ControlPlane(directory, pki, store_port, fields, store, fields.get("https_port", 0))
    try:
        if store != "none":
            await plane.start_store()
        await plane.start_apiserver()
        yield plane
    finally:
        await plane.stop()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, port)) == 0
