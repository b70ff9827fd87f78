"""Commands and ports of pods over WebSockets: `v5.channel.k8s.io` (KEP-4006) for exec and attach, `v4.channel.k8s.io`
for port-forward, where the first byte of each message names a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from kubeactors.api.errors import StatusError, from_status, status_failure
from kubeactors.client.errors import ApiUnavailable
from kubeactors.client.streams import CommandCall, Ended, Output, PortCall

COMMAND_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
PORT_PROTOCOLS = ("v4.channel.k8s.io",)
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_PORT_DATA, _PORT_ERROR = 0, 1

Query = list[tuple[str, str]]


def command_request(call: CommandCall) -> tuple[str, Query]:
    """Path and query of exec and attach."""
    flags = {"stdin": call.stdin, "stdout": True, "stderr": not call.tty, "tty": call.tty}
    query = [("command", each) for each in call.command]
    if call.container:
        query.append(("container", call.container))
    return _path(call.namespace, call.pod, call.kind), [
        *query,
        *((name, str(value).lower()) for name, value in flags.items()),
    ]


def port_request(call: PortCall) -> tuple[str, Query]:
    """Path and query of port-forward."""
    return _path(call.namespace, call.pod, "portforward"), [("ports", str(call.port))]


def _path(namespace: str, pod: str, subresource: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/{subresource}"


class WebSocketCommand:
    """Implements `CommandStream`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, data: bytes) -> None:
        await _send(self._socket, _STDIN, data)

    async def end_input(self) -> None:
        """Servers before Kubernetes 1.30 know no such thing."""
        if self._socket.protocol != COMMAND_PROTOCOLS[0]:
            raise ApiUnavailable("this server cannot be told the end of standard input")
        await _send(self._socket, _CLOSE, bytes((_STDIN,)))

    async def resize(self, width: int, height: int) -> None:
        await _send(self._socket, _RESIZE, orjson.dumps({"Width": width, "Height": height}))

    async def receive(self) -> Output | Ended:
        while True:
            message = await self._socket.receive()
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                raise ApiUnavailable("the connection ended before the command did")
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            channel, data = data[0] if data else -1, data[1:]
            if not data:
                continue
            if channel == _STDOUT:
                return Output("stdout", data)
            if channel == _STDERR:
                return Output("stderr", data)
            if channel == _ERROR:
                return _ended(orjson.loads(data))

    async def close(self) -> None:
        await self._socket.close()


class WebSocketPort:
    """Implements `PortStream`. Each channel begins with the port's number."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._announced = {_PORT_DATA: False, _PORT_ERROR: False}

    async def send(self, data: bytes) -> None:
        await _send(self._socket, _PORT_DATA, data)

    async def end_input(self) -> bool:
        return False

    async def receive(self) -> bytes:
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], bytes(message.data[1:])
            if channel not in self._announced:
                continue
            if not self._announced[channel]:
                self._announced[channel] = True
                data = data[2:]
            if not data:
                continue
            if channel == _PORT_ERROR:
                raise StatusError(status_failure(500, "InternalError", data.decode(errors="replace")))
            return data
        return b""

    async def close(self) -> None:
        await self._socket.close()


async def _send(socket: aiohttp.ClientWebSocketResponse, channel: int, data: bytes) -> None:
    try:
        await socket.send_bytes(bytes((channel,)) + data)
    except (ConnectionError, aiohttp.ClientError) as error:
        raise ApiUnavailable(f"the connection to the pod is gone: {error}") from error


def _ended(status: Mapping[str, Any]) -> Ended:
    """What the error channel says (a Status)."""
    if status.get("status") == "Success":
        return Ended(0)
    if status.get("reason") == "NonZeroExitCode":
        causes = (status.get("details") or {}).get("causes") or ()
        return Ended(next(int(each["message"]) for each in causes if each.get("reason") == "ExitCode"))
    return Ended(-1, from_status({"kind": "Status", "apiVersion": "v1", **status}))
