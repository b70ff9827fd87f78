"""A pair of fronts over a handler that tests script, with a throwaway PKI."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubeactors.api.kinds import registry
from kubeactors.apiserver.accounts.service import Accounts
from kubeactors.apiserver.aggregation.aggregator import Aggregator
from kubeactors.apiserver.authn.tokens import Tokens, TokenUser
from kubeactors.apiserver.authz import AllowAuthenticated, Authorizer
from kubeactors.apiserver.config import ApiServerConfig
from kubeactors.apiserver.fronts import Fronts
from kubeactors.apiserver.request import ApiHandler, Request, Response, UserInfo
from kubeactors.pki.authority import Authority, Identity


class ScriptedHandler:
    """Answers with what `respond` makes of a request; keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.respond: Callable[[Request], Response] = lambda request: Response(200, b"{}")

    async def handle(self, request: Request) -> Response:
        self.requests.append(request)
        return self.respond(request)


class OneToken:
    """Knows the token "right", until it is `ended`."""

    def __init__(self) -> None:
        self.ended = False

    async def authenticate(self, token: str, audiences: Sequence[str] = ()) -> TokenUser | None:
        return TokenUser(UserInfo("robot")) if token == "right" and not self.ended else None


@dataclasses.dataclass
class ScriptedCore:
    """The handler with everything allowed and one token."""

    handler: ApiHandler
    authorizer: Authorizer = dataclasses.field(default_factory=AllowAuthenticated)
    tokens: Tokens = dataclasses.field(default_factory=lambda: Tokens([OneToken()]))
    accounts: Accounts | None = None
    aggregator: Aggregator | None = None


@dataclasses.dataclass
class RunningFronts:
    """Fronts that serve, and the files that a client needs."""

    fronts: Fronts
    handler: ScriptedHandler
    token: OneToken
    checks: dict[str, str]
    directory: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.fronts.https_port}"

    def pem(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    def tls(self, user: str | None = "alice") -> ssl.SSLContext:
        """A client's context; None for one without a certificate."""
        context = ssl.create_default_context(cafile=self.directory / "ca.crt")
        if user is not None:
            context.load_cert_chain(self.directory / f"{user}.crt", self.directory / f"{user}.key")
        return context


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca, server, alice (of a group "team") and mallory, whom another CA signed."""
    directory = tmp_path_factory.mktemp("pki")
    now = datetime.now(UTC)
    authority, other = Authority.create("test-ca", now), Authority.create("other-ca", now)
    (directory / "ca.crt").write_bytes(authority.certificate)
    identities = {
        "server": (authority, Identity("server", names=("127.0.0.1", "localhost"), server=True)),
        "alice": (authority, Identity("alice", ("team",), client=True)),
        "mallory": (other, Identity("mallory", ("system:masters",), client=True)),
    }
    for name, (signer, identity) in identities.items():
        pair = signer.issue(identity, now)
        (directory / f"{name}.crt").write_bytes(pair.certificate)
        (directory / f"{name}.key").write_bytes(pair.key)
    return directory


@pytest.fixture
async def running(pki: Path, request: pytest.FixtureRequest) -> AsyncIterator[RunningFronts]:
    """Its parameter, where a test gives one, holds fields of the configuration."""
    config = ApiServerConfig(
        advertise_address="127.0.0.1",
        bind_address="127.0.0.1",
        https_port=0,
        grpc_port=0,
        store_endpoints=["http://127.0.0.1:1"],
        tls_cert=pki / "server.crt",
        tls_key=pki / "server.key",
        client_ca=pki / "ca.crt",
        max_request_bytes=100_000,
        max_watch_buffer_bytes=200_000,
        max_session_calls=4,
        shutdown_grace=0.2,
        **getattr(request, "param", {}),
    )
    handler = ScriptedHandler()
    checks = {"ping": "ok", "etcd": "ok"}

    async def run_checks() -> dict[str, str]:
        return checks

    token = OneToken()
    fronts = Fronts(config, ScriptedCore(handler, tokens=Tokens([token])), registry, run_checks)
    await fronts.start()
    try:
        yield RunningFronts(fronts, handler, token, checks, pki)
    finally:
        await fronts.stop()
