"""The store member's process: flags, pid file, signals, exit codes.

    python -m kubeactors.store --name m0 --data-dir DIR --listen-client-urls https://127.0.0.1:2379 \\
        --cert-file F --key-file F --trusted-ca-file F --pid-file F

and for one of three, beside that:

        --listen-peer-urls https://10.0.0.1:2380 --peer-cert-file F --peer-key-file F --peer-trusted-ca-file F \\
        --initial-cluster m0=https://10.0.0.1:2380,m1=https://10.0.0.2:2380,m2=https://10.0.0.3:2380

Flags are etcd's where etcd has one. SIGTERM and SIGINT stop it cleanly (exit 0). Exit 1: it cannot start or go on, and
the last line on stderr says why; 2: wrong flags.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from kubeactors.store.bootstrap import CannotJoin
from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.config import MemberConfig, parse_initial_cluster
from kubeactors.store.errors import StoreError
from kubeactors.store.member import StoreMember
from kubeactors.store.node import NodeConfig
from kubeactors.store.storage import DataDirInUse
from kubeactors.store.transport.certificate import PeerRules
from kubeactors.store.wal.writer import LogFailed

logger = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005
"""Seconds that the event loop may keep the interpreter from the sync thread, whose answer everybody waits for."""


def parse(arguments: Sequence[str] | None) -> tuple[MemberConfig, Path | None, str]:
    """The configuration, the pid file and the log level. Exits with 2 on wrong flags."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    try:
        config = MemberConfig(
            name=flags.name,
            data_dir=flags.data_dir,
            listen_client_urls=_urls(flags.listen_client_urls),
            advertise_client_urls=_urls(flags.advertise_client_urls),
            tls=_tls(flags, ""),
            listen_peer_urls=_urls(flags.listen_peer_urls),
            advertise_peer_urls=_urls(flags.initial_advertise_peer_urls),
            peer_tls=_tls(flags, "peer_"),
            peer_rules=_peer_rules(flags),
            initial_cluster=parse_initial_cluster(flags.initial_cluster),
            initial_cluster_token=flags.initial_cluster_token,
            new_cluster=flags.initial_cluster_state == "new",
            force_new_cluster=flags.force_new_cluster,
            heartbeat_ms=flags.heartbeat_interval,
            election_ms=flags.election_timeout,
            quota_bytes=flags.quota_backend_bytes,
            auto_compaction_mode=flags.auto_compaction_mode,
            auto_compaction_retention=flags.auto_compaction_retention,
            node=NodeConfig(snapshot_count=flags.snapshot_count, max_request_bytes=flags.max_request_bytes),
            max_txn_ops=flags.max_txn_ops,
            progress_interval=flags.watch_progress_notify_interval,
        )
        config.check()
    except ValueError as error:
        parser.error(str(error))
    return config, flags.pid_file, flags.log_level


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kubeactors.store", description="A store member (etcd v3 API).")
    add = parser.add_argument
    add("--name", default="default", help="this member's name")
    add("--data-dir", type=Path, required=True)
    add("--pid-file", type=Path)
    add("--log-level", default="info", choices=["debug", "info", "warning", "error"])

    add = parser.add_argument_group("for clients").add_argument
    add("--listen-client-urls", default="http://127.0.0.1:2379", help="comma-separated")
    add("--advertise-client-urls", default="", help="comma-separated; default: the ones listened on")
    add("--cert-file", default="")
    add("--key-file", default="")
    add("--trusted-ca-file", default="", help="clients need a certificate of this authority")
    add("--max-request-bytes", type=int, default=10 * 1024 * 1024)
    add("--max-txn-ops", type=int, default=128)
    add("--watch-progress-notify-interval", type=float, default=600.0, metavar="SECONDS")

    add = parser.add_argument_group("for other members").add_argument
    add("--listen-peer-urls", default="", help="comma-separated, usually port 2380; default: none, it stays alone")
    add("--peer-cert-file", default="", help="for both directions")
    add("--peer-key-file", default="")
    add("--peer-trusted-ca-file", default="", help="the authority of every member's peer certificate")
    add("--peer-cert-allowed-cn", default="", metavar="NAME", help="common name that peers' certificates must have")
    add("--peer-cert-allowed-hostname", default="", metavar="NAME", help="name that peers' certificates must be for")
    add(
        "--experimental-peer-skip-client-san-verification",
        "--peer-skip-client-san-verification",
        action="store_true",
        dest="peer_skip_san",
        help="let in a peer whose certificate is for another address than the one it comes from",
    )
    add("--heartbeat-interval", type=int, default=100, metavar="MS")
    add("--election-timeout", type=int, default=1000, metavar="MS")

    add = parser.add_argument_group("the first start, while there are no data").add_argument
    add("--initial-advertise-peer-urls", default="", help="comma-separated; default: the ones listened on")
    add("--initial-cluster", default="", metavar="NAME=URL,…", help="every member's peer URLs; default: this one alone")
    add("--initial-cluster-token", default="etcd-cluster")
    add("--initial-cluster-state", default="new", choices=["new", "existing"], help="existing: join one that runs")
    add("--force-new-cluster", action="store_true", help="go on with these data alone, without the other members")

    add = parser.add_argument_group("the data").add_argument
    add("--snapshot-count", type=int, default=50_000, help="entries after which a snapshot is taken")
    add("--quota-backend-bytes", type=int, default=0, metavar="BYTES", help="default: 2 GiB; below 0: no quota")
    add("--auto-compaction-mode", default="periodic", choices=["periodic", "revision"])
    add("--auto-compaction-retention", default="0", help="hours or 5m30s, or a number of revisions; 0: off")
    return parser


def _tls(flags: argparse.Namespace, prefix: str) -> TlsFiles | None:
    """Raises ValueError when some of the three files are given and others not."""
    names = (f"{prefix}trusted_ca_file", f"{prefix}cert_file", f"{prefix}key_file")
    files = [getattr(flags, name) for name in names]
    if not any(files):
        return None
    if not all(files):
        raise ValueError(f"{', '.join('--' + name.replace('_', '-') for name in names)} go together")
    return TlsFiles(*files)


def _peer_rules(flags: argparse.Namespace) -> PeerRules:
    """Raises ValueError."""
    if flags.peer_cert_allowed_cn and flags.peer_cert_allowed_hostname:
        raise ValueError("--peer-cert-allowed-cn and --peer-cert-allowed-hostname exclude each other")
    return PeerRules(flags.peer_cert_allowed_cn, flags.peer_cert_allowed_hostname, not flags.peer_skip_san)


def _urls(text: str) -> tuple[str, ...]:
    return tuple(url.strip() for url in text.split(",") if url.strip())


def write_pid_file(path: Path) -> None:
    """Whole or not at all, whoever reads it meanwhile."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(f"{os.getpid()}\n")
    os.replace(temporary, path)


def remove_pid_file(path: Path) -> None:
    path.unlink(missing_ok=True)


async def run(config: MemberConfig, pid_file: Path | None) -> int:
    """Serve until a signal comes or the member fails. Returns the exit code."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    member = StoreMember(config)
    try:
        await member.start()
    except (OSError, ValueError, StoreError, CannotJoin, DataDirInUse, LogFailed) as error:
        logger.critical("the store member %s cannot start: %s", config.name, error)
        return 1
    try:
        if pid_file is not None:
            write_pid_file(pid_file)
        # What was loaded stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        waits = [loop.create_task(stop.wait()), loop.create_task(member.failed.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    finally:
        await member.stop()
        if pid_file is not None:
            remove_pid_file(pid_file)
    if member.failure is not None:
        logger.critical("the store member %s has stopped: %s", config.name, member.failure)
        return 1
    logger.info("the store member %s has stopped", config.name)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    config, pid_file, log_level = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(50_000, 20, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(config, pid_file))
