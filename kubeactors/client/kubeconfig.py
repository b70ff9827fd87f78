"""Kubeconfig files and the service account of a pod: where the server is and how to show who one is."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubeactors.client.exec_plugin import ExecPlugin
from kubeactors.client.tls import TlsConfig

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(Exception):
    """A configuration that names no usable server; the message says what is missing and where."""


@dataclass(frozen=True)
class ClientConfig:
    """All that a client needs to connect. A token file is read again at every connection."""

    endpoints: tuple[str, ...]
    tls: TlsConfig | None = None
    namespace: str = "default"
    token: str | None = None
    token_file: Path | None = None
    #: User name and password, over HTTPS only.
    basic: tuple[str, str] | None = None
    #: A program that gives tokens or certificates, over HTTPS only.
    exec_plugin: ExecPlugin | None = None


def kubeconfig_path() -> Path:
    """The first existing file of $KUBECONFIG, else ~/.kube/config (whether or not it exists)."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    for path in listed:
        if path.exists():
            return path
    return listed[0] if listed else Path.home() / ".kube" / "config"


def load_kubeconfig(path: str | os.PathLike[str] | None = None, context: str | None = None) -> ClientConfig:
    """Reads a kubeconfig; without a path and without a file, the in-cluster configuration where there is one."""
    file = Path(path) if path is not None else kubeconfig_path()
    if path is None and not file.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster_config()
    try:
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise KubeconfigError(f"cannot read the kubeconfig {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"the kubeconfig {file} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"the kubeconfig {file} is empty")
    return parse_kubeconfig(document, file.resolve().parent, context)


def parse_kubeconfig(document: dict[str, Any], base: Path, context: str | None = None) -> ClientConfig:
    """The configuration of `context` (None: current-context). File names in it are relative to `base`."""
    name = context or document.get("current-context")
    if not name:
        raise KubeconfigError("the kubeconfig has no current-context; name a context")
    entry = _named(document, "contexts", "context", name)
    cluster = _named(document, "clusters", "cluster", entry.get("cluster", ""))
    user = _named(document, "users", "user", entry["user"]) if entry.get("user") else {}
    if "auth-provider" in user:
        raise KubeconfigError(f"user {entry['user']!r}: 'auth-provider' credentials are not supported")
    server = cluster.get("server")
    if not server:
        raise KubeconfigError(f"cluster {entry.get('cluster')!r} has no server")
    tls = TlsConfig(
        ca_file=_file(cluster, "certificate-authority", base),
        ca_data=_data(cluster, "certificate-authority-data"),
        cert_file=_file(user, "client-certificate", base),
        cert_data=_data(user, "client-certificate-data"),
        key_file=_file(user, "client-key", base),
        key_data=_data(user, "client-key-data"),
        server_name=cluster.get("tls-server-name"),
        insecure_skip_verify=bool(cluster.get("insecure-skip-tls-verify")),
    )
    return ClientConfig(
        endpoints=(str(server).rstrip("/"),),
        tls=None if str(server).startswith("http://") else tls,
        namespace=entry.get("namespace") or "default",
        token=user.get("token"),
        token_file=_file(user, "tokenFile", base),
        basic=(user["username"], user.get("password") or "") if user.get("username") else None,
        exec_plugin=_exec_plugin(entry["user"], user["exec"], cluster, base) if user.get("exec") else None,
    )


def in_cluster_config(directory: Path = SERVICE_ACCOUNT_DIR) -> ClientConfig:
    """The API server and service account that a pod is given (environment and mounted files)."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise KubeconfigError("not in a cluster: KUBERNETES_SERVICE_HOST is not set")
    token_file = directory / "token"
    if not token_file.exists():
        raise KubeconfigError(f"no service account is mounted: {token_file} does not exist")
    namespace_file = directory / "namespace"
    literal = f"[{host}]" if ":" in host else host
    return ClientConfig(
        endpoints=(f"https://{literal}:{port}",),
        tls=TlsConfig(ca_file=directory / "ca.crt"),
        namespace=namespace_file.read_text().strip() if namespace_file.exists() else "default",
        token_file=token_file,
    )


def _named(document: dict[str, Any], section: str, field: str, name: str) -> dict[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            return entry.get(field) or {}
    raise KubeconfigError(f"the kubeconfig has no {field} named {name!r}")


def _file(entry: dict[str, Any], field: str, base: Path) -> Path | None:
    value = entry.get(field)
    return base / value if value else None


def _data(entry: dict[str, Any], field: str) -> bytes | None:
    value = entry.get(field)
    if not value:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise KubeconfigError(f"{field} is not base64") from error


def _exec_plugin(name: str, entry: dict[str, Any], cluster: dict[str, Any], base: Path) -> ExecPlugin:
    command = entry.get("command") or ""
    if not command:
        raise KubeconfigError(f"user {name!r}: exec names no command")
    if entry.get("interactiveMode") == "Always":
        raise KubeconfigError(f"user {name!r}: an exec plugin that needs a terminal is not supported")
    # As client-go does: a path is relative to the kubeconfig, a plain name is looked up.
    path = str(base / command) if os.sep in command else command
    environment = tuple((each["name"], each.get("value") or "") for each in entry.get("env") or ())
    told = None
    if entry.get("provideClusterInfo"):
        told = {key: value for key, value in cluster.items() if key != "extensions"}
    try:
        return ExecPlugin(path, tuple(entry.get("args") or ()), environment, entry.get("apiVersion") or "", told)
    except ValueError as error:
        raise KubeconfigError(f"user {name!r}: {error}") from error
