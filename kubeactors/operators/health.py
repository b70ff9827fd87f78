"""An operator's HTTP endpoints for probes and Prometheus: /healthz, /readyz and /metrics."""

from __future__ import annotations

from aiohttp import web

from kubeactors.operators.operator import Operator


class HealthServer:
    """Serves on `port` of every address (0: any free one, see `port`) between `start` and `stop`."""

    def __init__(self, operator: Operator, port: int) -> None:
        self.port = port
        self._operator = operator
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises OSError when the port cannot be had."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        """Alive, and if it leads, by right. What an informer lacks for now, a restart would not give it."""
        checks = await self._operator.health()
        election = checks.get("leader election", "ok")
        return web.Response(status=200 if election == "ok" else 500, text=election)

    async def _readyz(self, request: web.Request) -> web.Response:
        """Each part of the operator and how it is."""
        checks = await self._operator.health()
        text = "".join(f"{part}: {state}\n" for part, state in checks.items()) or "ok\n"
        return web.Response(status=200 if all(state == "ok" for state in checks.values()) else 500, text=text)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._operator.metrics.text(), content_type="text/plain", charset="utf-8")
