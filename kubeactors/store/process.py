"""The store member's process: flags, pid file, signals, exit codes.

    python -m kubeactors.store --name m0 --data-dir DIR --listen-client-urls https://127.0.0.1:2379 \\
        --cert-file F --key-file F --trusted-ca-file F --pid-file F

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

from kubeactors.store.client.channel import TlsFiles
from kubeactors.store.config import MemberConfig
from kubeactors.store.errors import StoreError
from kubeactors.store.member import StoreMember
from kubeactors.store.node import NodeConfig
from kubeactors.store.storage import DataDirInUse
from kubeactors.store.wal.writer import LogFailed

logger = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005
"""Seconds that the event loop may keep the interpreter from the sync thread, whose answer everybody waits for."""


def parse(arguments: Sequence[str] | None) -> tuple[MemberConfig, Path | None, str]:
    """The configuration, the pid file and the log level. Exits with 2 on wrong flags."""
    parser = argparse.ArgumentParser(prog="python -m kubeactors.store", description="A store member (etcd v3 API).")
    add = parser.add_argument
    add("--name", default="default", help="this member's name")
    add("--data-dir", type=Path, required=True)
    add("--listen-client-urls", default="http://127.0.0.1:2379", help="comma-separated")
    add("--advertise-client-urls", default="", help="comma-separated; default: the ones listened on")
    add("--cert-file", default="")
    add("--key-file", default="")
    add("--trusted-ca-file", default="", help="clients need a certificate of this authority")
    add("--pid-file", type=Path)
    add("--max-request-bytes", type=int, default=10 * 1024 * 1024)
    add("--max-txn-ops", type=int, default=128)
    add("--snapshot-count", type=int, default=50_000, help="entries after which a snapshot is taken")
    add("--watch-progress-notify-interval", type=float, default=600.0, metavar="SECONDS")
    add("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    flags = parser.parse_args(arguments)
    files = (flags.trusted_ca_file, flags.cert_file, flags.key_file)
    if any(files) and not all(files):
        parser.error("--cert-file, --key-file and --trusted-ca-file go together")
    config = MemberConfig(
        name=flags.name,
        data_dir=flags.data_dir,
        listen_client_urls=_urls(flags.listen_client_urls),
        advertise_client_urls=_urls(flags.advertise_client_urls),
        tls=TlsFiles(*files) if all(files) else None,
        node=NodeConfig(snapshot_count=flags.snapshot_count, max_request_bytes=flags.max_request_bytes),
        max_txn_ops=flags.max_txn_ops,
        progress_interval=flags.watch_progress_notify_interval,
    )
    return config, flags.pid_file, flags.log_level


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
    except (OSError, ValueError, StoreError, DataDirInUse, LogFailed) as error:
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
