"""Picks the transport for a configuration by the scheme of its endpoints."""

from __future__ import annotations

from kubeactors.client.kubeconfig import ClientConfig
from kubeactors.client.transport import Transport


def open_transport(config: ClientConfig, user_agent: str) -> Transport:
    """gRPC for `grpc://host:port` and `host:port`, REST for `https://` and `http://`. Connects at the first call."""
    if not config.endpoints:
        raise ValueError("a client needs at least one endpoint")
    schemes = {endpoint.partition("://")[0] if "://" in endpoint else "grpc" for endpoint in config.endpoints}
    if schemes == {"grpc"}:
        if config.basic is not None or config.exec_plugin is not None:
            raise ValueError("passwords and credential plugins are for kubeconfigs: only over HTTPS")
        if config.proxy is not None:
            raise ValueError("an HTTP proxy (proxy-url) carries https:// endpoints only")
        from kubeactors.client.grpc_transport import GrpcTransport

        return GrpcTransport([endpoint.removeprefix("grpc://") for endpoint in config.endpoints], config, user_agent)
    if schemes <= {"http", "https"}:
        from kubeactors.client.https_transport import HttpsTransport

        return HttpsTransport(config, user_agent)
    raise ValueError(f"endpoints must all be gRPC or all be HTTP(S), not {', '.join(config.endpoints)}")
