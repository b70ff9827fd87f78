"""What kubelet shows on its own port, as far as the agent has it: /healthz and /pods."""

from collections.abc import Awaitable, Callable

import orjson

from kubeactors.pb.node.v1 import node_pb2
from nodeagent.pods.manager import PodManager

_TEXT = "text/plain; charset=utf-8"

Health = Callable[[], Awaitable[dict[str, str]]]


class Pages:
    """`health` gives the named checks: "ok", or what is wrong."""

    def __init__(self, pods: PodManager, health: Health) -> None:
        self._pods = pods
        self._health = health

    async def get(self, path: str) -> node_pb2.GetAnswer:
        """The answer to a GET."""
        match path.rstrip("/"):
            case "/healthz":
                return await self._healthz()
            case "/pods":
                items = [worker.pod for worker in self._pods.workers.values()]
                body = orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
                return node_pb2.GetAnswer(status=200, content_type="application/json", body=body)
        return node_pb2.GetAnswer(status=404, content_type=_TEXT, body=b"404 page not found\n")

    async def _healthz(self) -> node_pb2.GetAnswer:
        broken = {name: text for name, text in (await self._health()).items() if text != "ok"}
        if not broken:
            return node_pb2.GetAnswer(status=200, content_type=_TEXT, body=b"ok")
        lines = "".join(f"[-]{name} failed: {text}\n" for name, text in sorted(broken.items()))
        return node_pb2.GetAnswer(status=500, content_type=_TEXT, body=f"{lines}healthz check failed\n".encode())
