"""Kubeconfig files and the service account of a pod: where the server is and how to show who one is."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from kubeactors.client.exec_plugin import ExecPlugin
from kubeactors.client.proxies import SCHEMES
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
    #: The URL of an HTTP proxy; over HTTPS only.
    proxy: str | None = None
    #: Whom to act as: the names (in small letters) and values of the Impersonate- headers.
    impersonate: tuple[tuple[str, str], ...] = ()


def kubeconfig_paths() -> list[Path]:
    """The files of $KUBECONFIG that exist, else ~/.kube/config; what does not exist only where nothing does."""
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    listed = listed or [Path.home() / ".kube" / "config"]
    return [path for path in listed if path.exists()] or listed[:1]


def load_kubeconfig(path: str | os.PathLike[str] | None = None, context: str | None = None) -> ClientConfig:
    """Reads a kubeconfig; without a path the files of $KUBECONFIG together, and without a file the in-cluster
    configuration where there is one.

    Of several files the first that names a cluster, user, context or current-context counts.
    """
    files = [Path(path)] if path is not None else kubeconfig_paths()
    if path is None and not files[0].exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster_config()
    merged: dict[str, Any] = {"clusters": [], "users": [], "contexts": [], "current-context": None}
    for file in files:
        document = _read(file)
        for section, names in _SECTIONS.items():
            for entry in document.get(section) or ():
                merged[section].append(_with_paths(entry, names, file.resolve().parent))
        merged["current-context"] = merged["current-context"] or document.get("current-context")
    return parse_kubeconfig(merged, Path(), context)


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
        proxy=_proxy(entry.get("cluster", ""), cluster.get("proxy-url")),
        impersonate=_impersonation(user),
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


#: The names of files in each section, by the field that holds them.
_SECTIONS = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
    "contexts": ("context", ()),
}


def _read(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except OSError as error:
        raise KubeconfigError(f"cannot read the kubeconfig {file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise KubeconfigError(f"the kubeconfig {file} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"the kubeconfig {file} is empty")
    return document


def _with_paths(entry: dict[str, Any], names: tuple[str, tuple[str, ...]], base: Path) -> dict[str, Any]:
    """An entry whose names of files are not relative to its file any more."""
    field, files = names
    content = dict(entry.get(field) or {})
    for name in files:
        if content.get(name):
            content[name] = str(base / content[name])
    plugin = content.get("exec")
    if isinstance(plugin, dict) and os.sep in (plugin.get("command") or ""):
        content["exec"] = {**plugin, "command": str(base / plugin["command"])}
    return {**entry, field: content}


def _proxy(cluster: str, url: str | None) -> str | None:
    if url and urlsplit(url).scheme not in SCHEMES:
        raise KubeconfigError(f"cluster {cluster!r}: the proxy-url {url!r} is not one of http:// or https://")
    return url or None


def _impersonation(user: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = [("impersonate-user", user["as"])] if user.get("as") else []
    if user.get("as-uid"):
        found.append(("impersonate-uid", user["as-uid"]))
    found += [("impersonate-group", group) for group in user.get("as-groups") or ()]
    for key, values in (user.get("as-user-extra") or {}).items():
        found += [(f"impersonate-extra-{quote(key.lower(), safe='')}", value) for value in values]
    return tuple(found)


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
