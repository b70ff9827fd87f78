"""grpc probes: the gRPC health checking protocol, grpc.health.v1.Health/Check."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kubeactors.api.meta import Object
from nodeagent.probes.interface import Answer, Target


class GrpcHealth:
    async def probe(self, action: Object, target: Target, timeout: float) -> Answer:
        service = action.get("service") or ""
        address = f"{target.ip}:{action['port']}"
        async with grpc.aio.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout)
            except grpc.aio.AioRpcError as error:
                return Answer("failure", _words(error, address, service, timeout))
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            return Answer("success", "service healthy")
        name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
        return Answer("failure", f"service unhealthy (responded with {name!r})".replace("'", '"'))


def _words(error: grpc.aio.AioRpcError, address: str, service: str, timeout: float) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
    if error.code() is grpc.StatusCode.NOT_FOUND:
        return f'error: health rpc failed: service "{service}" is unknown'
    if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
        return f'timeout: failed to connect service "{address}" within {timeout:g}s: {error.details()}'
    return f"error: health rpc probe failed: {error.details()}"
