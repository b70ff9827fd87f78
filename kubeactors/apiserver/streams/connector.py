"""What a connect subresource answers: something that serves the client's connection."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web


class Connector(Protocol):
    """A connection that the handler has allowed and located."""

    async def serve(self, http: web.BaseRequest) -> web.StreamResponse:
        """Serve the client until either side ends. Raises StatusError before anything was answered."""
        ...
