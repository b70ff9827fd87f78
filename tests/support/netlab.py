"""Network namespaces for tests: machines on a switch, servers and clients inside them, everything removed at the end.

    with NetLab() as lab:
        a, b = lab.machine("a", "192.0.2.1"), lab.machine("b", "192.0.2.2")

Names are unique, so labs may run beside each other and beside a cluster. Sockets are made by a thread inside a
namespace and used from the test's own loop: a socket stays in the namespace that it was born in.
"""

import asyncio
import contextlib
import secrets
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from netplugin import links, netns, sysctl
from tests.support import ipvs_vm

NETNS_DIR = Path("/run/netns")
PATIENCE = 10.0 if ipvs_vm.inside() else 3.0  # seconds for an answer; the guest is slow and shares the processors


@dataclass
class Machine:
    """A namespace with one link to the lab's switch."""

    name: str
    address: str
    namespace: str


class NetLab:
    """Machines on one switch (192.0.2.0/24)."""

    def __init__(self) -> None:
        self._id = f"kt{secrets.token_hex(3)}"
        self._namespaces: list[Path] = []

    def __enter__(self) -> Self:
        try:
            self._switch = self._namespace("sw")
            netns.run(self._switch, self._make_switch)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        while self._namespaces:
            netns.remove(self._namespaces.pop())

    def machine(self, name: str, address: str) -> Machine:
        """A machine with that address on the switch and a default route by it."""
        namespace = self._namespace(name)

        def attach() -> None:
            with links.open_route_socket() as sock:
                bridge = links.find_link(sock, "switch")
                assert bridge is not None
                port = f"{self._id}{name}"[:15]
                with open(namespace) as target:
                    sock.request(
                        links.new_veth(
                            port,
                            "uplink",
                            target.fileno(),
                            mtu=1500,
                            master=bridge.index,
                            peer_mac=links.mac_for(address),
                            alias=name,
                        )
                    )

        def configure() -> None:
            with links.open_route_socket() as sock:
                uplink = links.find_link(sock, "uplink")
                assert uplink is not None
                sock.request(
                    links.set_up(1),
                    links.add_address(uplink.index, address, 24),
                    links.set_up(uplink.index),
                    links.set_route(links.Route("0.0.0.0/0", "192.0.2.254", uplink.index), 3),
                )

        netns.run(self._switch, attach)
        netns.run(namespace, configure)
        return Machine(name, address, str(namespace))

    def _namespace(self, name: str) -> Path:
        NETNS_DIR.mkdir(parents=True, exist_ok=True)
        path = NETNS_DIR / f"{self._id}-{name}"
        netns.create(path, lambda: None)
        self._namespaces.append(path)
        return path

    def _make_switch(self) -> None:
        with links.open_route_socket() as sock:
            sock.request(links.set_up(1))
            switch = links.ensure_link(sock, "switch", "bridge", mtu=1500, mac=links.mac_for("192.0.2.254"))
            sock.request(links.add_address(switch.index, "192.0.2.254", 24))
        # A switch only: what it passes on must not be filtered or translated here.
        sysctl.set_value("net/bridge/bridge-nf-call-iptables", "0")


def socket_in(namespace: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A non-blocking socket that lives in a namespace."""

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        return sock

    return netns.run(namespace, make)


@dataclass
class Server:
    """Tells each client the server's name and the client's address as it sees it, then echoes."""

    name: str
    namespace: str
    port: int
    clients: list[str] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> Self:
        sock = socket_in(self.namespace)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", self.port))
        self._server = await asyncio.start_server(self._serve, sock=sock, backlog=512)
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def stop_listening(self) -> None:
        """Refuse new connections; those that are there go on."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        peer: str = writer.get_extra_info("peername")[0]
        self.clients.append(peer)
        with contextlib.suppress(ConnectionError):
            writer.write(f"{self.name} {peer}\n".encode())
            while data := await reader.read(4096):
                writer.write(data)
        self._writers.discard(writer)
        writer.close()


@dataclass
class Connection:
    """A client's connection: who answered, and as whom it saw the client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: str
    seen_as: str

    async def echo(self, timeout: float = PATIENCE) -> None:
        """Raises when the connection is dead."""
        token = secrets.token_hex(4).encode()
        self.writer.write(token)
        assert await asyncio.wait_for(self.reader.readexactly(len(token)), timeout) == token

    def close(self) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """End it at once, leaving no connection that lingers."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
        self.writer.transport.abort()


async def connect(namespace: str, address: str, port: int, timeout: float = PATIENCE) -> Connection:
    """Raises ConnectionRefusedError, TimeoutError."""
    sock = socket_in(namespace)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
            reader, writer = await asyncio.open_connection(sock=sock)
            server, seen_as = (await reader.readuntil(b"\n")).decode().split()
    except TimeoutError:
        if timeout >= PATIENCE:
            print(kernel_tables(f"{namespace} got no answer from {address}:{port}"))
        sock.close()
        raise
    except BaseException:
        sock.close()
        raise
    return Connection(reader, writer, server, seen_as)


def kernel_tables(why: str) -> str:
    """What each network namespace knows of connections and neighbours."""
    told = [why]
    for namespace in sorted(Path("/run/netns").iterdir()):
        for command in (("ipvsadm", "-Lcn"), ("cat", "/proc/net/nf_conntrack"), ("ip", "neighbour")):
            words = ["nsenter", f"--net={namespace}", *command]
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)
            told.append(f"{namespace.name}: {' '.join(command)}\n{done.stdout or done.stderr}")
    return "\n".join(told)


async def ask(namespace: str, address: str, port: int, timeout: float = PATIENCE) -> tuple[str, str]:
    """Connect, hear (server, client as seen), close."""
    connection = await connect(namespace, address, port, timeout)
    connection.close()
    return connection.server, connection.seen_as


class UdpServer:
    """Answers each datagram with its name and the sender's address."""

    def __init__(self, name: str, namespace: str, port: int) -> None:
        self._name, self._namespace, self._port = name, namespace, port

    async def start(self) -> Self:
        sock = socket_in(self._namespace, socket.SOCK_DGRAM)
        sock.bind(("0.0.0.0", self._port))
        name = self._name

        class Protocol(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = cast(asyncio.DatagramTransport, transport)

            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                self.transport.sendto(f"{name} {addr[0]}".encode(), addr)

        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Protocol, sock=sock)
        return self

    async def stop(self) -> None:
        self._transport.close()


async def ask_udp(sock: socket.socket, address: str, port: int, timeout: float = PATIENCE) -> str:
    """Send a datagram through `sock`; returns the name of the server that answered. Raises TimeoutError, OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        await loop.sock_sendto(sock, b"?", (address, port))
        data, _ = await loop.sock_recvfrom(sock, 100)
    return data.decode().split()[0]


@contextlib.asynccontextmanager
async def serving(*servers: Server | UdpServer) -> AsyncIterator[None]:
    """Servers for the duration of a block."""
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop)
        yield
