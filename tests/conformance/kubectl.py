"""Unmodified kubectl in one namespace, and what tests of it share."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from tests.conformance.cluster import Cluster
from tests.support.control_plane import KUBECTL

LABELS = {"name": "update-demo", "version": "nautilus"}
IMAGE = "registry.example/nautilus:1.7"


class Kubectl:
    """kubectl as the administrator; a command that fails fails the test."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def __call__(self, *arguments: str, stdin: str = "", timeout: float = 30) -> str:
        """What it prints."""
        return self.cluster.kubectl(*arguments, namespace=self.namespace, stdin=stdin, timeout=timeout).stdout

    def with_(self, obj: Any, *arguments: str) -> str:
        """Of a command that reads an object from standard input."""
        return self(*arguments, "-f", "-", stdin=yaml.safe_dump(obj))

    def refused(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """What it says when it fails, as it must."""
        done = self.cluster.kubectl(*arguments, namespace=self.namespace, stdin=stdin, check=False)
        assert done.code == code, f"exit {done.code}: {done.stdout}{done.stderr}"
        return done.stderr

    def get(self, *arguments: str) -> Any:
        """What it prints as JSON, decoded."""
        return json.loads(self("get", *arguments, "-o", "json"))

    def names(self, *arguments: str) -> list[str]:
        """kind/name of each object that is listed."""
        return self("get", *arguments, "-o", "name").split()

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs on, its output in a pipe; ended with the block."""
        process = subprocess.Popen(
            [KUBECTL, "-n", self.namespace, *arguments],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.cluster.plane.directory),
                "KUBECONFIG": str(self.cluster.kubeconfig),
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


def replication_controller(name: str, replicas: int, **labels: str) -> dict[str, Any]:
    """One whose pods have one container, `name`."""
    chosen = labels or LABELS
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": chosen,
            "template": {
                "metadata": {"labels": chosen},
                "spec": {"containers": [{"name": name, "image": IMAGE, "ports": [{"containerPort": 80}]}]},
            },
        },
    }


def deployment(name: str = "web", image: str = "registry.example/web:1", replicas: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }
