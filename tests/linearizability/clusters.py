"""Clusters of the store's own members for the runs and trials here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.linearizability.target import OurStore
from tests.support.member_net import MemberNet
from tests.support.store_cluster import StoreCluster

LONG = os.environ.get("KUBEACTORS_LONG") == "1"  # `make test-long`: the full runs, not CI's share


@asynccontextmanager
async def cluster_in_namespaces(
    directory: Path, members: int, *flags: str, tls: bool = False
) -> AsyncIterator[OurStore]:
    """Each member in a network namespace: connections between them can be cut."""
    with MemberNet([f"m{number}" for number in range(members)]) as net:
        async with StoreCluster(directory, members, *flags, tls=tls, net=net) as cluster:
            yield OurStore(cluster)


@asynccontextmanager
async def cluster_on_loopback(directory: Path, members: int, *flags: str, tls: bool = False) -> AsyncIterator[OurStore]:
    async with StoreCluster(directory, members, *flags, tls=tls) as cluster:
        yield OurStore(cluster)
