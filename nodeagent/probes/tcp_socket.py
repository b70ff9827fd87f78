"""tcpSocket probes: a port that accepts is healthy."""

import asyncio
import contextlib

from kubeactors.api.meta import Object
from nodeagent.probes.http_get import strerror
from nodeagent.probes.interface import Answer, Target, resolve_port


class TcpSocket:
    async def probe(self, action: Object, target: Target, timeout: float) -> Answer:
        try:
            port = resolve_port(action["port"], target.container)
        except ValueError as error:
            return Answer("unknown", str(error), is_error=True)
        host = action.get("host") or target.ip
        try:
            async with asyncio.timeout(timeout):
                _reader, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return Answer("failure", f"dial tcp {host}:{port}: i/o timeout")
        except OSError as error:
            return Answer("failure", f"dial tcp {host}:{port}: connect: {strerror(error)}")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return Answer("success")
