"""What a machine must have before it can be a node."""

from __future__ import annotations

import os
import shutil

from kubeactors.cli.errors import CommandError

PROGRAMS = {
    "podman": "podman",
    "conmon": "conmon",
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "setsid": "util-linux",
}
"""Program and the Debian package that has it."""

RUNTIMES = ("crun", "runc")


def missing_packages() -> list[str]:
    """Debian packages whose programs this machine lacks."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not any(map(shutil.which, RUNTIMES)):
        missing.append("crun")
    return missing


def check() -> None:
    """Raises CommandError when this machine cannot run a node."""
    if os.geteuid() != 0:
        raise CommandError("kubeactors needs root to make namespaces and network rules: run it with sudo")
    if missing := missing_packages():
        raise CommandError(
            f"this machine lacks {', '.join(missing)}: run "
            f"`apt-get install --no-install-recommends {' '.join(missing)}`"
        )
