"""What this server knows of a remote group version."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from kubeactors.apiserver.aggregation.remote import Discovered, Document, Remote, undiscovered
from kubeactors.apiserver.streams.proxy.urls import Location


@dataclass(slots=True)
class Route:
    """`tls` is None before it has been made, or where it cannot be (`tls_error` says why). `locations` is None when the
    Service has to be looked at again; `reason` is that of the last check that failed, empty after one that passed.

    `openapi_hash` is that of its document at /openapi/v3, empty for none; `swagger` its part of /openapi/v2.
    """

    remote: Remote
    available: bool = False
    reason: str = ""
    tls: ssl.SSLContext | None = None
    tls_error: str = ""
    locations: list[Location] | None = None
    discovered: Discovered = field(init=False)
    etag: str = ""
    openapi_hash: str = ""
    swagger: Document | None = None
    swagger_etag: str = ""

    def __post_init__(self) -> None:
        self.discovered = undiscovered(self.remote.version)

    def inherit(self, before: Route) -> None:
        """Keep what is known of the version from before its APIService changed, until its server is asked again."""
        if (before.remote.server_name, before.remote.port) != (self.remote.server_name, self.remote.port):
            return
        self.discovered, self.etag = before.discovered, before.etag
        self.openapi_hash, self.swagger, self.swagger_etag = before.openapi_hash, before.swagger, before.swagger_etag
        trust = (before.remote.ca_bundle, before.remote.insecure)
        if trust == (self.remote.ca_bundle, self.remote.insecure):
            self.tls, self.tls_error = before.tls, before.tls_error
