"""Puts an operator's CustomResourceDefinition into the cluster."""

from __future__ import annotations

import asyncio
import logging
from os import PathLike

from kubeactors.api import meta
from kubeactors.api.errors import Forbidden
from kubeactors.client.async_client import AsyncClient
from kubeactors.client.definitions import wait_served
from kubeactors.client.manifests import ManifestError, load_manifests
from kubeactors.client.results import Object

logger = logging.getLogger(__name__)

KIND = "CustomResourceDefinition"


async def install(client: AsyncClient, definition: Object | str | PathLike[str], manager: str) -> None:
    """Applies the definition and waits until its objects are served.

    Where this account may not write definitions, one that is there already must do. Raises ManifestError for what is no
    definition, StatusError (Invalid, Forbidden, …) and WaitTimeout.
    """
    wanted = definition if isinstance(definition, dict) else await asyncio.to_thread(_read, definition)
    if wanted.get("kind") != KIND:
        raise ManifestError(f"a controller's definition is a {KIND}, not a {wanted.get('kind')}")
    name = meta.name(wanted)
    try:
        await client.apply(wanted, field_manager=manager, force=True)
    except Forbidden as refused:
        logger.info("%s is left as it is: %s", name, refused)
    await wait_served(client, wanted)


def _read(path: str | PathLike[str]) -> Object:
    found = [obj for obj in load_manifests(path) if obj["kind"] == KIND]
    if len(found) != 1:
        raise ManifestError(f"{path} has {len(found)} objects of kind {KIND}, not one")
    return found[0]
