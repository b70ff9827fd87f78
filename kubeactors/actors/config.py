"""The configuration of a cluster: what `kubeactors up` takes and every component's actor is given."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from kubeactors.pki.files import PUBLIC, write_atomically


class ConfigError(ValueError):
    """A configuration that cannot work; the message says which field and why."""


@dataclass(frozen=True)
class ClusterConfig:
    """Defaults follow kubeadm's. A second cluster on the same machine moves its name, ranges and ports."""

    cluster_name: str = field(
        default="kubeactors", metadata={"help": "name of the cluster; links, tables and containers bear it"}
    )
    masters: int = field(
        default=1,
        metadata={"help": "machines that run the control plane: 1, 3 or 5; may be raised on a running cluster"},
    )
    advertise_address: str = field(
        default="", metadata={"help": "address of this master (default: the one that Ray uses)"}
    )
    pod_cidr: str = field(default="10.244.0.0/16", metadata={"help": "range of pod addresses"})
    node_cidr_mask: int = field(default=24, metadata={"help": "prefix length of each node's share of the pod range"})
    service_cidr: str = field(default="10.96.0.0/12", metadata={"help": "range of Service addresses"})
    node_port_range: str = field(default="30000-32767", metadata={"help": "ports for Services of type NodePort"})
    https_port: int = field(default=6443, metadata={"help": "port of the REST API"})
    grpc_port: int = field(default=6444, metadata={"help": "port of the gRPC API"})
    store_port: int = field(default=2379, metadata={"help": "port of the store's clients (etcd v3)"})
    store_peer_port: int = field(default=2380, metadata={"help": "port of the store's members among themselves"})
    local_https_port: int = field(
        default=6445, metadata={"help": "port on each machine's loopback that leads to a healthy REST API"}
    )
    local_grpc_port: int = field(default=6446, metadata={"help": "the same for the gRPC API"})
    agent_port: int = field(default=10250, metadata={"help": "port of each node agent"})
    ray_port: int = field(default=6379, metadata={"help": "port of the Ray head that `up` starts if none runs"})
    ray_client_port: int = field(default=10001, metadata={"help": "port of that Ray's client server"})
    cluster_domain: str = field(default="cluster.local", metadata={"help": "DNS domain of the cluster"})
    proxy_mode: str = field(default="auto", metadata={"help": "service proxy: auto, ipvs or nftables"})
    cni_conflist: str = field(
        default="",
        metadata={"help": "CNI configuration list to use for pods' networks in place of the built-in plugin"},
    )
    store_endpoints: str = field(
        default="", metadata={"help": "an etcd to use instead of the built-in store: URLs, comma-separated"}
    )
    store_ca_file: str = field(default="", metadata={"help": "certificate of the authority that signed that etcd's"})
    store_cert_file: str = field(default="", metadata={"help": "client certificate for that etcd"})
    store_key_file: str = field(default="", metadata={"help": "key of that client certificate"})
    node_monitor_grace_period: float = field(
        default=50.0, metadata={"help": "seconds without a heartbeat after which a node is unreachable"}
    )

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", self.cluster_name):
            raise ConfigError(f"cluster_name {self.cluster_name!r}: lower-case letters, digits and '-' only")
        networks = [_network(self, name) for name in ("pod_cidr", "service_cidr")]
        if networks[0].overlaps(networks[1]):
            raise ConfigError(f"pod_cidr {self.pod_cidr} and service_cidr {self.service_cidr} overlap")
        if not networks[0].prefixlen <= self.node_cidr_mask <= 30:
            raise ConfigError(f"node_cidr_mask {self.node_cidr_mask}: from {networks[0].prefixlen} to 30")
        if self.proxy_mode not in ("auto", "ipvs", "nftables"):
            raise ConfigError(f"proxy_mode {self.proxy_mode!r}: auto, ipvs or nftables")
        if self.masters not in (1, 3, 5):
            raise ConfigError(f"masters {self.masters}: 1, 3 or 5")
        self._check_store()
        self.node_ports()
        ports = [value for name, value in asdict(self).items() if name.endswith("_port")]
        for port in ports:
            if not 0 < port < 65536 or ports.count(port) > 1:
                raise ConfigError(f"port {port}: each port must be from 1 to 65535 and used once")

    def _check_store(self) -> None:
        for endpoint in self.external_store:
            if not re.fullmatch(r"https?://[^/\s]+:\d+", endpoint):
                raise ConfigError(f"store_endpoints {endpoint!r}: expected http(s)://HOST:PORT")
        files = (self.store_ca_file, self.store_cert_file, self.store_key_file)
        if any(files) and not (all(files) and self.external_store):
            raise ConfigError("store_endpoints, store_ca_file, store_cert_file and store_key_file go together")
        secure = [endpoint for endpoint in self.external_store if endpoint.startswith("https://")]
        if secure and not all(files):
            raise ConfigError(f"store_endpoints {secure[0]}: needs store_ca_file, store_cert_file and store_key_file")

    @property
    def external_store(self) -> tuple[str, ...]:
        """The URLs of the etcd that takes the store's place; empty for the built-in one."""
        return tuple(part.strip() for part in self.store_endpoints.split(",") if part.strip())

    @property
    def common(self) -> ClusterConfig:
        """Without what differs between machines or may change while the cluster runs."""
        return replace(self, advertise_address="", masters=1)

    def node_ports(self) -> tuple[int, int]:
        """First and last port of `node_port_range`."""
        match = re.fullmatch(r"(\d+)-(\d+)", self.node_port_range)
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 0 < first <= last < 65536:
            raise ConfigError(f"node_port_range {self.node_port_range!r}: FIRST-LAST, as in 30000-32767")
        return first, last

    @property
    def first_service_address(self) -> str:
        """The address of the Service default/kubernetes."""
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> ClusterConfig:
        """From names and values; raises ConfigError for an unknown name or a value of the wrong type."""
        kinds: dict[str, Callable[[Any], Any]] = {item.name: type(item.default) for item in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in mapping.items():
            if name not in kinds:
                raise ConfigError(f"unknown configuration {name!r}; known are {', '.join(sorted(kinds))}")
            try:
                values[name] = kinds[name](value)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"{name} {value!r}: {error}") from error
        return cls(**values)

    @classmethod
    def load(cls, path: Path) -> ClusterConfig:
        """From a YAML file."""
        return cls.from_mapping(cls.named_in(path))

    @classmethod
    def named_in(cls, path: Path) -> dict[str, Any]:
        """The names and values in a YAML file, as they stand there."""
        try:
            document = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not YAML: {error}") from error
        if not isinstance(document, dict):
            raise ConfigError(f"{path}: expected a mapping")
        return document

    def at(self, address: str) -> ClusterConfig:
        """The same on the machine with this address."""
        return replace(self, advertise_address=address)

    def save_changed(self, path: Path) -> None:
        """`save`, unless the file has the same but for what may change while the cluster runs."""
        if not path.exists() or ClusterConfig.load(path).common != self.common:
            self.save(path)

    def save(self, path: Path) -> None:
        """Into a YAML file that `load` reads."""
        write_atomically(path, yaml.safe_dump(asdict(self), sort_keys=False).encode(), PUBLIC)


def _network(config: ClusterConfig, name: str) -> ipaddress.IPv4Network:
    value = getattr(config, name)
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ConfigError(f"{name} {value!r}: {error}") from error
