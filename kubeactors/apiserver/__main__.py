"""Run an API server by itself: `python -m kubeactors.apiserver --config FILE`.

The file is YAML or JSON with the fields of `ApiServerConfig`. Every field is also a flag (`--https-port 6443`), which
wins over the file; `--store-tls` takes CA,CERT,KEY. SIGTERM and SIGINT stop the server cleanly. With `--ready-file F`
the ports are written there as JSON (`{"https": 6443, "grpc": 6444}`) once requests are served.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
import yaml

from kubeactors.apiserver import collector
from kubeactors.apiserver.config import ApiServerConfig, ConfigError, from_mapping
from kubeactors.apiserver.server import ApiServer

logger = logging.getLogger("kubeactors.apiserver")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The flags; those of configuration fields are None unless given."""
    parser = argparse.ArgumentParser(prog="python -m kubeactors.apiserver", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--ready-file", type=Path, metavar="FILE")
    parser.add_argument("--log-level", default="INFO")
    for field in dataclasses.fields(ApiServerConfig):
        parser.add_argument(f"--{field.name.replace('_', '-')}", dest=field.name)
    return parser.parse_args(arguments)


def configuration(arguments: argparse.Namespace) -> ApiServerConfig:
    """File and flags together. Raises ConfigError or OSError."""
    document: dict[str, Any] = {}
    if arguments.config is not None:
        loaded = yaml.safe_load(arguments.config.read_text())
        if not isinstance(loaded, dict):
            raise ConfigError(f"{arguments.config}: not a mapping of fields")
        document.update(loaded)
    for field in dataclasses.fields(ApiServerConfig):
        value = getattr(arguments, field.name)
        if value is None:
            continue
        if field.name in ("store_endpoints", "disable_admission_plugins"):
            value = value.split(",")
        elif field.name == "store_tls":
            value = dict(zip(("ca", "cert", "key"), value.split(","), strict=True))
        document[field.name] = value
    return from_mapping(document)


async def serve(config: ApiServerConfig, ready_file: Path | None) -> None:
    """Run a server until a signal asks it to end."""
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    server = ApiServer(config)
    try:
        await server.start()
        collector.settle()
        if ready_file is not None:
            ports = json.dumps({"https": server.https_port, "grpc": server.grpc_port})
            await asyncio.to_thread(_write, ready_file, ports)
        await end.wait()
    finally:
        await server.stop()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def main() -> int:
    """The command; returns its exit code."""
    arguments = parse_arguments(sys.argv[1:])
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = configuration(arguments)
    except (ConfigError, OSError, ValueError) as error:
        logger.error("cannot start: %s", error)
        return 2
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(config, arguments.ready_file))
    except OSError as error:
        logger.error("cannot start: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
