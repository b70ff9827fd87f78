"""Networks of pods: a namespace file, a veth from the node's bridge into it, an address, the default route.

Blocking and thread-safe for different pods (the caller serialises calls for one pod). The asyncio plugin and the CNI
executable share this code; what they know of a pod is in a record file, because a CNI executable lives for one call
only.
"""

import dataclasses
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from netplugin import links, netns, sysctl
from netplugin.config import NetworkConfig
from netplugin.interface import HostPort, NetworkError, NotConfigured, PodRequest
from netplugin.ipam import AddressPool, Range, gateway
from netplugin.names import Names
from netplugin.netlink import NetlinkSocket

logger = logging.getLogger(__name__)

NETNS_DIR = Path("/run/netns")  # where `ip netns` looks
_POD_LINK = "eth0"


@dataclass(frozen=True)
class PodRecord:
    """What is kept about a pod while it has a network."""

    request: PodRequest
    ips: tuple[str, ...]
    netns: str  # the namespace file
    owns_netns: bool  # whether we made it (a CNI runtime makes its own)
    link: str = _POD_LINK


def _encode(record: PodRecord) -> bytes:
    return orjson.dumps(dataclasses.asdict(record))


def _decode(data: bytes) -> PodRecord:
    fields = orjson.loads(data)
    request = fields["request"]
    host_ports = tuple(HostPort(**port) for port in request["host_ports"])
    return PodRecord(
        request=PodRequest(request["namespace"], request["name"], request["uid"], host_ports),
        ips=tuple(fields["ips"]),
        netns=fields["netns"],
        owns_netns=fields["owns_netns"],
        link=fields["link"],
    )


class PodNetworks:
    """The pods of one node."""

    def __init__(self, config: NetworkConfig, names: Names, clock: Callable[[], float]) -> None:
        self._names = names
        self._records = config.run_dir / "pods"
        self._pool = AddressPool(config.state_dir, clock, config.address_reuse_delay)
        self._ranges: tuple[Range, ...] = ()
        self._mtu = 0

    def configure(self, ranges: tuple[Range, ...], mtu: int) -> None:
        self._records.mkdir(parents=True, exist_ok=True)
        NETNS_DIR.mkdir(parents=True, exist_ok=True)
        self._ranges = ranges
        self._mtu = mtu

    def add(self, pod: PodRequest, netns_path: Path | None = None, link: str = _POD_LINK) -> PodRecord:
        """Give the pod a network (in a namespace of our own making, or in `netns_path`); the one it has, if it is
        whole.

        Raises NetworkError; then nothing is left of it.
        """
        if not self._ranges:
            raise NotConfigured("the node's pod range is not known yet")
        record = self.record(pod.uid)
        if record is not None and self._is_whole(record):
            return record
        try:
            record = PodRecord(
                request=pod,
                ips=self._pool.allocate(pod.uid, self._ranges),
                netns=str(netns_path or NETNS_DIR / self._names.netns(pod.uid)),
                owns_netns=netns_path is None,
                link=link,
            )
            self._write(record)
            self._make(record)
        except (OSError, NetworkError) as error:
            self._undo(pod, error)
            if isinstance(error, NetworkError):
                raise
            raise NetworkError(f"network of pod {pod.namespace}/{pod.name} cannot be made: {error}") from error
        return record

    def check(self, uid: str) -> PodRecord | None:
        """The pod's network, or None when it has none or it is not whole."""
        record = self.record(uid)
        return record if record is not None and self._is_whole(record) else None

    def mend(self, uid: str) -> PodRecord | None:
        """Make what is missing of a pod's network anew, in the namespace that its containers are in.

        None when it has none. Raises NetworkError; then what is left stays.
        """
        record = self.record(uid)
        if record is None or (record.owns_netns and not netns.exists(Path(record.netns))):
            return None
        if self._is_whole(record):
            return record
        logger.warning("the network of pod %s/%s is not whole: its link is made anew", *_whose(record))
        try:
            self._make(record)
        except OSError as error:
            raise NetworkError(f"network of pod {'/'.join(_whose(record))} cannot be mended: {error}") from error
        return record

    def delete(self, uid: str) -> None:
        """Idempotent. Raises NetworkError."""
        record = self.record(uid)
        try:
            if record is not None:
                self._remove_link(record)
            else:
                with links.open_route_socket() as sock:
                    links.delete_links(sock, [self._names.veth(uid)])
                netns.remove(NETNS_DIR / self._names.netns(uid))
            self._pool.release(uid)
        except OSError as error:
            raise NetworkError(f"network of pod {uid} cannot be removed: {error}") from error
        self._record_path(uid).unlink(missing_ok=True)

    def uids(self) -> list[str]:
        """Every pod that has a network or a part of one."""
        found = set(self._pool.holders())
        found.update(path.stem for path in self._records.glob("*.json"))
        found.update(path.name.removeprefix(self._names.netns_prefix) for path in self._own_namespaces())
        return sorted(found)

    def records(self) -> list[PodRecord]:
        return [record for uid in self.uids() if (record := self.record(uid)) is not None]

    def record(self, uid: str) -> PodRecord | None:
        path = self._record_path(uid)
        try:
            return _decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            # A crash of the machine can leave an empty file; whatever the pod had is found by its names.
            logger.warning("record %s of a pod's network cannot be read and is dropped: %s", path, error)
            path.unlink(missing_ok=True)
            return None

    def remove_namespaces(self) -> None:
        """Remove all namespace files of this node (their links go with them)."""
        for path in self._own_namespaces():
            netns.remove(path)

    def _own_namespaces(self) -> list[Path]:
        return list(NETNS_DIR.glob(f"{self._names.netns_prefix}*"))

    def _record_path(self, uid: str) -> Path:
        if not uid or "/" in uid or uid.startswith("."):
            raise NetworkError(f"{uid!r} is no pod uid")
        return self._records / f"{uid}.json"

    def _write(self, record: PodRecord) -> None:
        path = self._record_path(record.request.uid)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(_encode(record))
        temporary.replace(path)

    def _make(self, record: PodRecord) -> None:
        path = Path(record.netns)
        # A namespace that is there is kept, for a running pod's containers are in it; its link is made anew.
        with links.open_route_socket() as sock:
            links.delete_links(sock, [self._names.veth(record.request.uid)])
        if not record.owns_netns or netns.exists(path):
            inside = netns.run(path, _open_inside)
        else:
            netns.remove(path)  # a file that a crash left without its namespace
            inside = netns.create(path, _open_inside)
        pod_socket, namespace = inside
        try:
            with links.open_route_socket() as host, pod_socket:
                self._connect(record, host, pod_socket, namespace)
        finally:
            os.close(namespace)

    def _connect(self, record: PodRecord, host: NetlinkSocket, pod: NetlinkSocket, namespace: int) -> None:
        bridge = links.find_link(host, self._names.bridge)
        if bridge is None:
            raise NetworkError(f"bridge {self._names.bridge} is missing")
        request = record.request
        name = self._names.veth(request.uid)
        veth = links.new_veth(
            name,
            record.link,
            namespace,
            mtu=self._mtu,
            master=bridge.index,
            peer_mac=links.mac_for(record.ips[0]),
            alias=f"pod {request.namespace}/{request.name}",
        )
        host.request(veth)
        host_end, pod_end = links.find_link(host, name), links.find_link(pod, record.link)
        if host_end is None or pod_end is None:
            raise NetworkError(f"link {name} vanished while it was set up")
        host.request(links.set_hairpin(host_end.index))
        addresses = [
            links.add_address(pod_end.index, address, node_range.prefixlen)
            for address, node_range in zip(record.ips, self._ranges, strict=True)
        ]
        default = links.Route("0.0.0.0/0", str(gateway(self._ranges[0])), pod_end.index)
        pod.request(
            links.set_up(1),  # lo is always the first
            *addresses,
            links.set_up(pod_end.index),
            links.set_route(default, protocol=3),
        )

    def _is_whole(self, record: PodRecord) -> bool:
        path = Path(record.netns)
        if record.owns_netns and not netns.exists(path):
            return False
        with links.open_route_socket() as host:
            bridge = links.find_link(host, self._names.bridge)
            veth = links.find_link(host, self._names.veth(record.request.uid))
        if bridge is None or veth is None or veth.master != bridge.index or not veth.up or not veth.hairpin:
            return False

        def inside() -> bool:
            with links.open_route_socket() as pod:
                link = links.find_link(pod, record.link)
                if link is None or not link.up:
                    return False
                addresses = {address for _, address, _ in links.list_addresses(pod, link.index)}
                routed = any(route.destination == "0.0.0.0/0" for route in links.list_routes(pod, None))
                return set(record.ips) <= addresses and routed

        try:
            return netns.run(path, inside)
        except OSError:
            return False  # no such namespace (any more)

    def _remove_link(self, record: PodRecord) -> None:
        # The veth goes first and by name: a removed namespace's links disappear some time later.
        with links.open_route_socket() as sock:
            links.delete_links(sock, [self._names.veth(record.request.uid)])
        if record.owns_netns:
            netns.remove(Path(record.netns))

    def _undo(self, pod: PodRequest, cause: Exception) -> None:
        try:
            self.delete(pod.uid)
        except NetworkError:
            logger.exception("after %r: what was made of pod %s/%s's network stays", cause, pod.namespace, pod.name)


def _whose(record: PodRecord) -> tuple[str, str]:
    return record.request.namespace, record.request.name


def _open_inside() -> tuple[NetlinkSocket, int]:
    """Runs in the pod's namespace:

    what is needed to work on it from outside, and settings that only a thread inside can make.
    """
    # The node answers on the bridge that it came from; a redirect would lead the pod past the service translation.
    for scope in ("all", "default"):
        sysctl.set_value(f"net/ipv4/conf/{scope}/accept_redirects", "0", required=False)
    sock = links.open_route_socket()
    try:
        return sock, os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        sock.close()
        raise
