"""Entry point: parses the command line and runs one subcommand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from kubeactors.actors.config import ClusterConfig, ConfigError
from kubeactors.actors.paths import ROOT_DIR_VARIABLE, Paths
from kubeactors.actors.state import StateError
from kubeactors.cli import store_parser
from kubeactors.cli.errors import CommandError


def build_parser() -> argparse.ArgumentParser:
    """The command line of `kubeactors`."""
    parser = argparse.ArgumentParser(prog="kubeactors", description="Kubernetes for a Ray cluster.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--root-dir", metavar="DIR", help=f"where the cluster keeps its files (default: ${ROOT_DIR_VARIABLE}, else /)"
    )
    common.add_argument(
        "--address", metavar="HOST:PORT", help="the Ray cluster (default: $RAY_ADDRESS, else a local one)"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    start = commands.add_parser("up", parents=[common], help="start the cluster, or bring a running one to health")
    start.add_argument("--config", metavar="FILE", help="YAML file with the options below")
    start.add_argument(
        "--timeout", type=float, default=180.0, metavar="S", help="give up after S seconds (default: 180)"
    )
    for item in fields(ClusterConfig):
        option = "--" + item.name.replace("_", "-")
        default = f" (default: {item.default})" if item.default else ""
        start.add_argument(option, dest=f"config_{item.name}", metavar="VALUE", help=item.metadata["help"] + default)

    stop = commands.add_parser("down", parents=[common], help="remove everything that the cluster runs on its machines")
    stop.add_argument("--delete-data", action="store_true", help="delete the store, volumes, certificates and logs too")

    show = commands.add_parser("status", parents=[common], help="masters, nodes and components with their health")
    show.add_argument("--output", choices=["text", "json"], default="text", help="how to print it (default: text)")

    where = commands.add_parser("kubeconfig", parents=[common], help="print the path of the administrator's kubeconfig")
    where.add_argument(
        "--elsewhere", action="store_true", help="print a kubeconfig for machines outside: it names the masters"
    )
    store_parser.add_parsers(commands, common)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 0, with 1 after a failure that was told, with 2 for a wrong command line."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    paths = Paths(Path(options.root_dir)) if options.root_dir else Paths.from_environment()
    try:
        sys.exit(asyncio.run(_run(options, paths)))
    except (CommandError, ConfigError, StateError) as error:
        print(f"kubeactors {options.command}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"kubeactors {options.command}: interrupted; run it again to go on", file=sys.stderr)
        sys.exit(130)


async def _run(options: argparse.Namespace, paths: Paths) -> int:
    # Imported late: Ray takes a second to load, which `--help` and `kubeconfig` need not wait for.
    match options.command:
        case "up":
            given = {
                name.removeprefix("config_"): value
                for name, value in vars(options).items()
                if name.startswith("config_") and value is not None
            }
            from kubeactors.cli import up

            file = Path(options.config) if options.config else None
            return await up.run(paths, options.address, file, given, options.timeout)
        case "down":
            from kubeactors.cli import down

            return await down.run(paths, options.address, delete_data=options.delete_data)
        case "status":
            from kubeactors.cli import status

            return await status.run(paths, options.address, as_json=options.output == "json")
        case "store":
            from kubeactors.cli import store

            return await store.run(options, paths)
        case _:
            return kubeconfig(paths, elsewhere=options.elsewhere)


def kubeconfig(paths: Paths, *, elsewhere: bool) -> int:
    """Print where the kubeconfig for this machine is, or the text of one for other machines."""
    if not paths.kubeconfig.exists():
        raise CommandError(f"{paths.kubeconfig} does not exist: run `kubeactors up` first, or look on a master")
    if not elsewhere:
        print(paths.kubeconfig)
        return 0
    from kubeactors.actors.credentials import kubeconfig_for_elsewhere
    from kubeactors.actors.state import StateFile

    state = StateFile(paths.state).load()
    if state is None:
        raise CommandError(f"{paths.state} does not exist: run `kubeactors up` first")
    print(kubeconfig_for_elsewhere(ClusterConfig.load(paths.config), paths, state).decode(), end="")
    return 0
