"""`make demo`: starts a cluster on this machine, runs the guestbook on it and sends it a request.

Run again, it changes nothing and shows the state.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from examples.debian_image import ImageError
from examples.guestbook.images import ALL
from kubeactors.actors.config import ConfigError
from kubeactors.actors.paths import Paths
from kubeactors.cli import up
from kubeactors.cli.errors import CommandError
from kubeactors.cli.progress import Progress

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "guestbook.yaml"
UP_TIMEOUT = 180.0
READY_TIMEOUT = 120
DEPLOYMENTS = ("redis", "frontend")


def kubectl_path() -> str:
    """The kubectl beside this Python, else the one on the path. Raises CommandError when there is none."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if found is None:
        raise CommandError("there is no kubectl: run `make setup`, which installs one")
    return found


class Kubectl:
    """Unmodified kubectl with the cluster's kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._program = kubectl_path()
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str) -> str:
        """Its standard output. Raises CommandError with what it said when it fails."""
        done = subprocess.run(
            [self._program, *arguments], env=self._environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise CommandError(f"`kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Its output, decoded."""
        return json.loads(self(*arguments, "-o", "json"))


def build_images(progress: Progress) -> None:
    """Make the images that are missing or out of date."""
    for image in ALL:
        with progress.step(f"image {image.name}"):
            image.ensure()


def wait_until_ready(kubectl: Kubectl, progress: Progress) -> None:
    """Until each Deployment has all its replicas. Raises CommandError that says what the pods' events are."""
    with progress.step("pods") as step:
        deadline = time.monotonic() + READY_TIMEOUT
        while waiting := [text for text in map(_missing, _deployments(kubectl)) if text]:
            step.waiting_for(", ".join(waiting))
            if time.monotonic() > deadline:
                events = kubectl("get", "events", "--field-selector", "type=Warning")
                raise CommandError(
                    f"still waiting after {READY_TIMEOUT} s for {', '.join(waiting)}. Warnings:\n{events}"
                )
            time.sleep(0.3)


def _deployments(kubectl: Kubectl) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = kubectl.json("get", "deployments", *DEPLOYMENTS)["items"]
    return items


def _missing(deployment: dict[str, Any]) -> str:
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) if current else 0
    return "" if ready >= wanted else f"{deployment['metadata']['name']} {ready}/{wanted}"


def request(address: str) -> str:
    """What the guestbook answers: status line, type and the first lines. Raises CommandError."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
            body = answer.read().decode()
            return f"HTTP {answer.status} {answer.headers['Content-Type']}\n{body.strip()}"
    except (OSError, urllib.error.URLError) as error:
        raise CommandError(f"the Service at {address} did not answer: {error}") from error


def run() -> None:
    """The whole demo. Raises CommandError."""
    progress = Progress()
    paths = Paths.from_environment()
    asyncio.run(up.run(paths, None, None, {}, UP_TIMEOUT))
    build_images(progress)
    kubectl = Kubectl(paths.kubeconfig)
    with progress.step(f"apply {MANIFEST.name}"):
        applied = kubectl("apply", "-f", str(MANIFEST))
    progress.say(applied.rstrip())
    wait_until_ready(kubectl, progress)
    print(kubectl("get", "pods", "-o", "wide"))
    print(kubectl("get", "service", "frontend"))
    service = kubectl.json("get", "service", "frontend")
    address, port = service["spec"]["clusterIP"], service["spec"]["ports"][0]["port"]
    print(f"GET http://{address}:{port}/")
    print(request(f"{address}:{port}"))
    node_port = service["spec"]["ports"][0]["nodePort"]
    print(f"\nFrom other machines: port {node_port} of this one. Remove everything with `make down`.")


def main() -> None:
    """Exits with 1 and a message when a step fails."""
    try:
        run()
    except (CommandError, ConfigError, ImageError) as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
