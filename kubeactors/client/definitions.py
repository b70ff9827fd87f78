"""Waiting for a CustomResourceDefinition to be served."""

from __future__ import annotations

import asyncio

from kubeactors.api import meta
from kubeactors.api.errors import Forbidden, NotFound
from kubeactors.api.kinds import UnknownKindError
from kubeactors.client.async_verbs import AsyncVerbs
from kubeactors.client.backoff import Backoff
from kubeactors.client.errors import WaitTimeout
from kubeactors.client.results import Object

RESOURCE = "customresourcedefinitions"


async def wait_served(client: AsyncVerbs, definition: Object, timeout: float = 30.0) -> None:
    """Until objects of the definition can be read. That comes a moment after its condition Established, when the server
    has heard of it itself, of which nothing tells. Raises WaitTimeout."""
    name = meta.name(definition)
    backoff = Backoff(0.01, 1.0)
    try:
        async with asyncio.timeout(timeout):
            await client.wait(RESOURCE, name, condition="condition=Established", timeout=timeout)
            while True:
                try:
                    await client.list(name, limit=1)
                    return
                except Forbidden:
                    return  # who may not read them is told so by a server that has them
                except (NotFound, UnknownKindError):
                    await asyncio.sleep(backoff.next())
    except TimeoutError as error:
        raise WaitTimeout(f"{name} is not served after {timeout:g} s", None) from error
