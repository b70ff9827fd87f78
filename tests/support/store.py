"""A store member inside the test's own process and loop, and what tests do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from kubeactors.store.client import StoreClient
from kubeactors.store.config import MemberConfig
from kubeactors.store.disk import Disk
from kubeactors.store.member import StoreMember
from kubeactors.store.node import NodeConfig

SEGMENT_BYTES = 256 * 1024


def member_config(data_dir: Path, url: str = "http://127.0.0.1:0", **node: int) -> MemberConfig:
    return MemberConfig(
        name="m0",
        data_dir=data_dir,
        listen_client_urls=(url,),
        node=replace(NodeConfig(), **node),
        segment_bytes=SEGMENT_BYTES,
    )


@asynccontextmanager
async def running_member(config: MemberConfig, disk: Disk | None = None) -> AsyncIterator[StoreMember]:
    member = StoreMember(config, disk)
    await member.start()
    try:
        yield member
    finally:
        await member.stop()


@asynccontextmanager
async def store_client(member: StoreMember, **options: object) -> AsyncIterator[StoreClient]:
    client = StoreClient(member.client_urls, **options)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.close()
