"""The command line of `kubeactors store`, apart from what it does, which takes longer to load."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_ENDPOINT = "https://127.0.0.1:2379"


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Flags are those of `etcdctl snapshot` where it has them."""
    store = commands.add_parser("store", help="back the store up, and restore it")
    snapshot = store.add_subparsers(dest="store_command", required=True, metavar="COMMAND").add_parser(
        "snapshot", help="save, restore, look into a snapshot"
    )
    actions = snapshot.add_subparsers(dest="snapshot_command", required=True, metavar="COMMAND")

    saving = actions.add_parser("save", parents=[common], help="save what a running member has to a file")
    saving.add_argument("file", type=Path)
    saving.add_argument(
        "--endpoints",
        default=DEFAULT_ENDPOINT,
        metavar="URL,…",
        help=f"the first that answers is asked (default: {DEFAULT_ENDPOINT})",
    )
    for name, what in (("cacert", "the authority of the members"), ("cert", "the client's"), ("key", "the client's")):
        saving.add_argument(f"--{name}", metavar="FILE", help=f"{what} (default: this machine's, below --root-dir)")

    restoring = actions.add_parser("restore", help="make the data directory of a member of a new cluster")
    restoring.add_argument("file", type=Path)
    restoring.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="must be empty or not exist")
    restoring.add_argument("--name", default="default", help="the member's name (default: default)")
    restoring.add_argument("--initial-cluster", default="", metavar="NAME=URL,…", help="every member's peer URLs")
    restoring.add_argument(
        "--initial-cluster-token",
        default="",
        metavar="TOKEN",
        help="the same for each member, and none that an earlier cluster had (default for a lone member: a new one)",
    )
    restoring.add_argument(
        "--initial-advertise-peer-urls", default="", metavar="URL,…", help="for a cluster of this member alone"
    )
    restoring.add_argument(
        "--bump-revision",
        type=int,
        default=0,
        metavar="N",
        help="go on N revisions after the snapshot's, and count everything before as compacted",
    )

    looking = actions.add_parser("status", help="what is in a snapshot")
    looking.add_argument("file", type=Path)
    looking.add_argument("--output", choices=["text", "json"], default="text")

    for action in (restoring, looking):
        action.set_defaults(root_dir=None)
        action.add_argument(
            "--skip-hash-check", action="store_true", help="for a file copied from a member's snap directory"
        )
