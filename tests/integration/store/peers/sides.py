"""The two stores that get the same commands, and the named rules by which outcomes that must differ are made equal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from kubeactors.pb.etcd import rpc_pb2_grpc
from tests.support.etcd_process import EtcdCluster, open_channel
from tests.support.store_process import StoreProcess

ETCDCTL = shutil.which("etcdctl", path="/usr/local/bin:/usr/bin:/bin")
"""Debian's, whatever else an active virtual environment puts in the way."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Side:
    """One store. `names`: what the member and cluster ids of this store are called in outcomes."""

    name: str
    urls: list[str]
    directory: Path
    names: dict[str, str] = field(default_factory=dict)

    def command(self, arguments: Sequence[str], endpoints: Sequence[str] = ()) -> list[str]:
        assert ETCDCTL is not None, "Debian's etcd-client is not installed"
        return [ETCDCTL, "--endpoints", ",".join(endpoints or self.urls), *arguments]

    def etcdctl(
        self, *arguments: str, stdin: str | None = None, endpoints: Sequence[str] = (), timeout: float = 30
    ) -> Outcome:
        done = subprocess.run(
            self.command(arguments, endpoints),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(),
            cwd=self.directory,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, *arguments: str, endpoints: Sequence[str] = ()) -> Iterator[Running]:
        process = Running(self, arguments, endpoints)
        try:
            yield process
        finally:
            process.end()

    def json(self, *arguments: str, endpoints: Sequence[str] = ()) -> Any:
        outcome = self.etcdctl(*arguments, "-w", "json", endpoints=endpoints)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)

    def learn_names(self) -> None:
        """Members are called by their names from now on, those without a name by their peer URLs."""
        answer = self.json("member", "list")
        self.names[f"{answer['header']['cluster_id']:x}"] = "<cluster>"
        for member in answer["members"]:
            self.names[f"{member['ID']:x}"] = f"<{member.get('name') or 'unstarted'}>"

    def named(self, value: Any) -> Any:
        """A JSON value with the ids of members and cluster replaced by what they are called."""
        if isinstance(value, dict):
            return {k: self.named(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.named(item) for item in value]
        return self.names.get(f"{value:x}", value) if isinstance(value, int) and value > 0 else value

    def channel(self, number: int = 0) -> grpc.Channel:
        return open_channel(self.urls[number], None)

    def member(self, name: str) -> str:
        """The id of the member with this name, as etcdctl writes it."""
        (found,) = [f"{m['ID']:x}" for m in self.json("member", "list")["members"] if m.get("name", "") == name]
        return found


class Running:
    """An etcdctl that goes on until it is ended: watch, lock, elect, lease keep-alive, make-mirror."""

    def __init__(self, side: Side, arguments: Sequence[str], endpoints: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            side.command(arguments, endpoints),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            cwd=side.directory,
        )
        self._side = side
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._more:
                self._lines.append(line.rstrip("\n"))
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    def lines(self, count: int, timeout: float = 20) -> list[str]:
        """The first `count` lines, once they are there; fewer when it has ended."""
        deadline = time.monotonic() + timeout
        with self._more:
            while len(self._lines) < count and (self._process.poll() is None or self._reader.is_alive()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{self._side.name}: {count} lines expected, there are {self._lines}")
                self._more.wait(min(left, 0.2))
            return self._lines[:count]

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def interrupt(self) -> int:
        """As Ctrl-C does; returns the exit code."""
        self._process.send_signal(2)
        return self._process.wait(15)

    def wait(self, timeout: float = 20) -> int:
        return self._process.wait(timeout)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._reader.join(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "ETCDCTL_"))}
    return {**kept, "ETCDCTL_API": "3"}


# ---- rules: what must differ between two stores, and is made equal before outcomes are compared ----

Rule = Callable[[Side, str], str]
ID_DIGITS = 16


def peer_urls(side: Side, text: str) -> str:
    """The same goes for the addresses that members have for each other."""
    return re.sub(r"http://(127\.0\.0\.1|localhost):\d+", "<peer url>", text)


def log_lines(side: Side, text: str) -> str:
    """etcdctl's own log tells when and in which of its source lines; only the error in it is the store's."""
    lines = []
    for line in text.split("\n"):
        if line.startswith('{"level"'):
            entry = json.loads(line)
            line = f"log: {entry.get('msg')}: {entry.get('error')}"
        lines.append(line)
    return "\n".join(lines)


def ids(side: Side, text: str) -> str:
    """Ids of members and of the cluster follow from addresses."""
    for number, name in side.names.items():
        text = id_named(text, number, name)
    return text


def id_named(text: str, number: str, name: str) -> str:
    """With an id, in hexadecimal digits, called by a name. etcdctl writes some of them with leading spaces."""
    padding = "" if len(number) == ID_DIGITS else rf"(?:(?<!\S){' ' * (ID_DIGITS - len(number))})?"
    return re.sub(rf"{padding}\b{number}\b", name, text)


def urls(side: Side, text: str) -> str:
    """Each store listens elsewhere."""
    for number, url in enumerate(side.urls):
        text = text.replace(url, f"<url {number}>").replace(url.partition("://")[2], f"<url {number}>")
    return text


def leases(side: Side, text: str) -> str:
    """The store chooses the id of a lease."""
    return re.sub(r"\b(lease |leases/|name/|; )?[0-9a-f]{12,16}\b", r"\1<lease>", text)


def seconds(side: Side, text: str) -> str:
    """How long it took."""
    return re.sub(r"\b\d+(\.\d+)?(µs|ms|s)\b", "<time>", text)


def remaining(side: Side, text: str) -> str:
    """How much of a lease's time is left when it is asked for: a second more or less."""
    return re.sub(r"remaining\(\d+s\)", "remaining(<time>)", text)


RULES: tuple[Rule, ...] = (log_lines, ids, urls, peer_urls)

RAFT_FIELDS = {"raft_term", "raftTerm", "raftIndex", "raftAppliedIndex"}
"""How many terms and entries it took to come to the same state."""
SIZE_FIELDS = {"dbSize", "dbSizeInUse"}
HASH_FIELDS = {"hash"}
VERSION_FIELDS = {"version"}
LEASE_FIELDS = {"ID", "id", "lease"}


def without(value: Any, fields: set[str]) -> Any:
    """A JSON value without these fields."""
    if isinstance(value, dict):
        return {k: without(v, fields) for k, v in value.items() if k not in fields}
    if isinstance(value, list):
        return [without(item, fields) for item in value]
    return value


class Pair:
    """The real etcd and this store. What is run is run on both, and comes to the same."""

    def __init__(self, etcd: Side, ours: Side) -> None:
        self.etcd = etcd
        self.ours = ours
        for side in self.sides:
            side.learn_names()

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.etcd, self.ours

    def run(
        self, *arguments: str, stdin: str | None = None, rules: Sequence[Rule] = (), fails: bool = False
    ) -> Outcome:
        """The outcome that both have, after the rules. `fails`: it must (else it must not)."""
        theirs, ours = (self._normalised(side, arguments, stdin, rules) for side in self.sides)
        assert ours == theirs, f"etcdctl {' '.join(arguments)}\netcd: {theirs}\nours: {ours}"
        assert bool(ours.code) == fails, f"etcdctl {' '.join(arguments)}: {ours}"
        return ours

    @staticmethod
    def _normalised(side: Side, arguments: Sequence[str], stdin: str | None, rules: Sequence[Rule]) -> Outcome:
        outcome = side.etcdctl(*arguments, stdin=stdin)
        out, err = outcome.out, outcome.err
        for rule in (*RULES, *rules):
            out, err = rule(side, out), rule(side, err)
        return Outcome(outcome.code, out, err)

    def json(self, *arguments: str, fields: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
        """As `run`, with JSON output; the content of `fields` may differ."""
        texts = []
        for side in self.sides:
            value = side.named(without(side.json(*arguments), {*RAFT_FIELDS, *fields}))
            texts.append(peer_urls(side, urls(side, json.dumps(value, sort_keys=True))))
        theirs, ours = texts
        assert ours == theirs, f"etcdctl {' '.join(arguments)}\netcd: {theirs}\nours: {ours}"
        return json.loads(ours)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[Both]:
        with self.etcd.running(*arguments) as theirs, self.ours.running(*arguments) as ours:
            yield Both(theirs, ours, self)


class Both:
    def __init__(self, theirs: Running, ours: Running, pair: Pair) -> None:
        self.theirs = theirs
        self.ours = ours
        self._pair = pair

    def lines(self, count: int, rules: Sequence[Rule] = ()) -> list[str]:
        """The first lines of both, which are the same after the rules."""
        found = []
        for running, side in ((self.theirs, self._pair.etcd), (self.ours, self._pair.ours)):
            text = "\n".join(running.lines(count))
            for rule in (*RULES, *rules):
                text = rule(side, text)
            found.append(text.split("\n") if text else [])
        assert found[1] == found[0]
        return found[1]

    def type(self, line: str) -> None:
        self.theirs.type(line)
        self.ours.type(line)


@contextlib.contextmanager
def one_member_each(directory: Path) -> Iterator[Pair]:
    (directory / "ours").mkdir(parents=True)
    flags = ["--max-request-bytes", str(1024 * 1024 + 512 * 1024)]  # etcd's default
    with EtcdCluster(directory / "etcd") as etcd, StoreProcess(directory / "ours", *flags, tls=False) as ours:
        asyncio.run(ours.start())
        yield Pair(Side("etcd", etcd.urls, directory / "etcd"), Side("ours", [ours.url], directory / "ours"))


# ---- raw requests ----

_STUBS = {name: getattr(rpc_pb2_grpc, f"{name}Stub") for name in ("KV", "Lease", "Cluster", "Maintenance")}


def ask(channel: grpc.Channel, method: str, request: Any, tries: int = 3) -> tuple[str, str, Any]:
    """(status code, words, the response or None).

    Changes of membership are repeated: etcd drops one without a word that comes while it applies another.
    """
    service, name = method.split(".")
    call = getattr(_STUBS[service](channel), name)
    try:
        if name == "LeaseKeepAlive":
            return "OK", "", next(iter(call(iter([request]), timeout=30)))
        return "OK", "", call(request, timeout=2 if service == "Cluster" else 10)
    except grpc.RpcError as error:
        if service == "Cluster" and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and tries:  # type: ignore[attr-defined]
            return ask(channel, method, request, tries - 1)
        return error.code().name, error.details(), None  # type: ignore[attr-defined]
