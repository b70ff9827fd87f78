"""A store member as its own process, with TLS, as the masters run it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from kubeactors.pki.cluster import ClusterPki
from kubeactors.store.client import TlsFiles
from tests.support.ports import free_port
from tests.support.store_health import serves


def make_certificates(directory: Path) -> tuple[TlsFiles, TlsFiles]:
    """(the member's, a client's), of one authority."""
    pki = ClusterPki(directory)
    pki.ensure(["localhost", "127.0.0.1"], ["localhost", "127.0.0.1"], datetime.now(UTC))
    ca = str(pki.store_ca)
    server = TlsFiles(ca, str(pki.certificate("etcd/server")), str(pki.key("etcd/server")))
    client = TlsFiles(ca, str(pki.certificate("apiserver-etcd-client")), str(pki.key("apiserver-etcd-client")))
    return server, client


class StoreProcess:
    """Start, kill, start again on the same data. Use as a context manager; it leaves no process behind."""

    def __init__(self, directory: Path, *flags: str, tls: bool = True) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.pid_file = directory / "store.pid"
        self.log = directory / "store.log"
        self.port = free_port()
        self.server_tls: TlsFiles | None = None
        self.client_tls: TlsFiles | None = None
        if tls:
            self.server_tls, self.client_tls = make_certificates(directory / "pki")
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> StoreProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self, preexec: object = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "kubeactors.store", "--name", "m0", "--data-dir", str(self.data_dir)]
        command += ["--listen-client-urls", self.url, "--pid-file", str(self.pid_file), *self._flags]
        if self.server_tls is not None:
            tls = self.server_tls
            command += ["--cert-file", tls.cert, "--key-file", tls.key, "--trusted-ca-file", tls.ca]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, preexec_fn=preexec)  # type: ignore[call-overload]
        return self._process

    async def start(self, timeout: float = 20.0) -> None:
        """Returns once the health service says SERVING."""
        self.spawn()
        await self.serving(timeout)

    async def serving(self, timeout: float = 20.0) -> None:
        async with asyncio.timeout(timeout):
            while not await serves(self.url, self.client_tls):
                assert self._process is not None
                if self._process.poll() is not None:
                    raise AssertionError(f"the store exited with {self._process.returncode}:\n{self.log.read_text()}")
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        assert self._process is not None
        return self._process.wait(20)

    def etcdctl(
        self, *arguments: str, stdin: str | None = None, timeout: float = 20
    ) -> subprocess.CompletedProcess[str]:
        command = ["etcdctl", "--endpoints", self.url]
        if self.client_tls is not None:
            tls = self.client_tls
            command += ["--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key]
        return subprocess.run(
            [*command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "ETCDCTL_API": "3"},
            check=False,
        )
