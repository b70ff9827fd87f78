"""kubeconfig files, for kubectl and every other Kubernetes client."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import yaml

from kubeactors.pki.files import PRIVATE, write_atomically


def render(cluster: str, server: str, user: str, ca: bytes, certificate: bytes, key: bytes) -> bytes:
    """A kubeconfig with one context, everything inlined. `server` is a URL; the rest are names and PEM."""
    return render_servers({cluster: server}, user, ca, certificate, key)


def render_servers(servers: Mapping[str, str], user: str, ca: bytes, certificate: bytes, key: bytes) -> bytes:
    """The same with a context for each of `servers`, which maps names to URLs; the first is the current one."""
    clusters = [
        {"name": name, "cluster": {"server": server, "certificate-authority-data": _inline(ca)}}
        for name, server in servers.items()
    ]
    contexts = [{"name": f"{user}@{name}", "context": {"cluster": name, "user": user}} for name in servers]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _inline(certificate), "client-key-data": _inline(key)},
            }
        ],
        "contexts": contexts,
        "current-context": contexts[0]["name"],
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def write(path: Path, document: bytes) -> bool:
    """Write a kubeconfig readable by its owner only; returns whether anything changed."""
    if path.exists() and path.read_bytes() == document:
        return False
    write_atomically(path, document, PRIVATE)
    return True


def _inline(data: bytes) -> str:
    return base64.b64encode(data).decode()
