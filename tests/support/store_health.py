"""Whether a store member serves."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kubeactors.store.client import TlsFiles
from kubeactors.store.client.channel import open_channel


async def serves(url: str, tls: TlsFiles | None) -> bool:
    """Asked by gRPC's health service."""
    channel = open_channel(url, tls)
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    except grpc.aio.AioRpcError:
        return False
    finally:
        await channel.close()
