"""Reads long YAML bodies in turns with everything else that the server does."""

from __future__ import annotations

import asyncio

from kubeactors.api import yaml
from kubeactors.apiserver.request import APPLY_PATCH, YAML, Request

#: Longer bodies than this (bytes) are read so. What is shorter takes ten milliseconds at the very most.
LONG = 16 * 1024
_YAML_BODIES = frozenset({YAML, APPLY_PATCH})


class LongYaml:
    """One body is read at a time: others wait, so that what has nothing to do with YAML gets every second turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def read(self, request: Request) -> None:
        """Have `yaml.load` return at once for the request's body, if that is long YAML."""
        if len(request.body) <= LONG or request.content_type not in _YAML_BODIES:
            return
        body = yaml.ReadBody(request.body)
        async with self._turn:
            reading = yaml.steps(request.body)
            try:
                while True:
                    try:
                        next(reading)
                    except StopIteration as done:
                        body.keep(*done.value)
                        break
                    await asyncio.sleep(0)
            except yaml.YamlError as error:
                body.fail(error)
            finally:
                reading.close()
        request.body = body
