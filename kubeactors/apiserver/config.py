"""How an API server is to run: addresses, certificates, store, limits."""

from __future__ import annotations

import dataclasses
import ipaddress
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ConfigError(ValueError):
    """A configuration with which the API server cannot start; the message names the field."""


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files: the CA that signed the peer, and our own certificate and key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class ApiServerConfig:
    """Everything that `ApiServer` needs to know. Ports of 0 let the kernel choose (see `ApiServer.https_port`)."""

    #: The address that other machines reach this server at; published in the Service default/kubernetes.
    advertise_address: str
    store_endpoints: list[str]
    tls_cert: Path
    tls_key: Path
    #: Client certificates signed by this CA are who their subject says.
    client_ca: Path
    #: Whether requests without credentials reach authorization as system:anonymous (kube-apiserver's --anonymous-auth);
    #: without it only health and version are answered to them, and everything else with 401.
    anonymous_auth: bool = False
    bind_address: str = "0.0.0.0"
    https_port: int = 6443
    grpc_port: int = 6444
    store_tls: TlsFiles | None = None
    #: What this server shows to node agents (for logs and exec).
    kubelet_client_cert: Path | None = None
    kubelet_client_key: Path | None = None
    #: Clients with certificates of this CA are front proxies: they say in X-Remote-… headers for whom they ask.
    requestheader_client_ca: Path | None = None
    #: The common names of front proxies; none: whoever has a certificate of that CA is one.
    requestheader_allowed_names: list[str] = dataclasses.field(default_factory=lambda: ["front-proxy-client"])
    #: What this server shows to the API servers that APIServices name, as a front proxy itself.
    proxy_client_cert: Path | None = None
    proxy_client_key: Path | None = None
    #: Signs service accounts' tokens (PEM); without it there are none.
    service_account_key: Path | None = None
    #: Verifies them: a PEM file of one or more public keys. None: the signing key's.
    service_account_public_key: Path | None = None
    #: Who the tokens say made them, and their audience where none is asked for.
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    #: Admission plugins by Kubernetes' names that are left out.
    disable_admission_plugins: list[str] = dataclasses.field(default_factory=list)
    service_cidr: str = "10.96.0.0/12"
    node_port_range: tuple[int, int] = (30000, 32767)
    #: The largest request body, in bytes.
    max_request_bytes: int = 3 * 1024 * 1024
    #: A watch without timeoutSeconds ends after a random time between this and twice this, in seconds.
    min_watch_timeout: float = 1800.0
    #: A watcher with more unsent bytes than this is closed; it lists again.
    max_watch_buffer_bytes: int = 4 * 1024 * 1024
    #: How many calls of one gRPC session run at once; more wait in the client.
    max_session_calls: int = 256
    #: Seconds that stop() lets requests under way go on.
    shutdown_grace: float = 2.0

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.advertise_address)
            ipaddress.ip_network(self.service_cidr)
        except ValueError as error:
            raise ConfigError(f"advertise_address or service_cidr: {error}") from error
        low, high = self.node_port_range
        if not 1 <= low <= high <= 65535:
            raise ConfigError(f"node_port_range: {low}-{high} is not a range of ports")
        if not self.store_endpoints:
            raise ConfigError("store_endpoints: at least one is needed")
        if (self.kubelet_client_cert is None) != (self.kubelet_client_key is None):
            raise ConfigError("kubelet_client_cert and kubelet_client_key come together or not at all")
        if (self.proxy_client_cert is None) != (self.proxy_client_key is None):
            raise ConfigError("proxy_client_cert and proxy_client_key come together or not at all")


def load_config(path: Path) -> ApiServerConfig:
    """The configuration in a YAML or JSON file whose keys are the fields of `ApiServerConfig`."""
    document = yaml.safe_load(path.read_text())
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a mapping of fields")
    return from_mapping(document)


def from_mapping(document: Mapping[str, Any]) -> ApiServerConfig:
    """A configuration from plain data, as a file or a flag parser yields it. Unknown fields are errors."""
    hints = typing.get_type_hints(ApiServerConfig)
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in hints:
            raise ConfigError(f"{name}: no such field")
        values[name] = _convert(name, hints[name], value)
    missing = [
        each.name
        for each in dataclasses.fields(ApiServerConfig)
        if each.default is dataclasses.MISSING
        and each.default_factory is dataclasses.MISSING
        and each.name not in values
    ]
    if missing:
        raise ConfigError(f"{', '.join(missing)}: required")
    return ApiServerConfig(**values)


def _convert(name: str, hint: Any, value: Any) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kind = options[0]
    if kind is Path:
        return Path(value)
    if kind is TlsFiles:
        return TlsFiles(**{key: Path(path) for key, path in value.items()})
    if name == "node_port_range":
        low, high = value.split("-") if isinstance(value, str) else value
        return int(low), int(high)
    if kind in (int, float, str):
        return kind(value)
    return value
