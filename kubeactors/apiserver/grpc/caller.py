"""Who makes a gRPC call: the client certificate of its connection, or the bearer token in its metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from kubeactors.api import errors
from kubeactors.apiserver.authn.chain import AuthenticationChain
from kubeactors.apiserver.authn.impersonation import PREFIX, impersonate, wanted_user
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.authz.authorizer import check
from kubeactors.apiserver.grpc.errors import grpc_code, trailing_metadata
from kubeactors.apiserver.http.tls import peer_chain
from kubeactors.apiserver.request import ANONYMOUS, Request, UserInfo
from kubeactors.rpc.call import Call
from kubeactors.rpc.connection import Connection
from kubeactors.rpc.server import Refusal
from kubeactors.rpc.stream import Request as RpcRequest

SERVICE = "kubeactors.api.v1.Resources"
_CERTIFICATES = "apiserver.certificates"

#: Gives the user, as long as the credentials are good: a token may end before a stream does. Raises StatusError 401.
User = Callable[[], Awaitable[UserInfo]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The client of a call or stream. `agent` is what it calls itself, `wanted` the user that it wants to be."""

    user: User
    agent: str
    wanted: UserInfo | None
    authorizer: Authorizer

    async def take_over(self, request: Request) -> None:
        """Let the request be this client's, whose user it has already. Raises StatusError 403 for impersonation."""
        request.user_agent = self.agent
        if self.wanted is not None:
            request.user = await impersonate(self.authorizer, self.wanted, Attributes.of(request))

    async def may_read(self, path: str) -> None:
        """For what is no resource. Raises StatusError (401, 403)."""
        question = Attributes(await self.user(), "get", path=path)
        if self.wanted is not None:
            user = await impersonate(self.authorizer, self.wanted, question)
            question = Attributes(user, "get", path=path)
        await check(self.authorizer, question)


class Callers:
    """Knows the clients of calls."""

    def __init__(self, authentication: AuthenticationChain, authorizer: Authorizer) -> None:
        self._authentication = authentication
        self._authorizer = authorizer

    def of(self, context: Call) -> Caller:
        """The client of a call. Raises StatusError (400) for impersonation that cannot be understood."""
        token = agent = ""
        impersonates = False
        for key, value in context.invocation_metadata() or ():
            if key == "user-agent":
                # gRPC's libraries put their own name behind the program's, after a space.
                agent = str(value).partition(" ")[0]
            elif key == "authorization":
                scheme, _, rest = value.strip().partition(" ")
                token = rest.strip() if scheme.lower() == "bearer" else ""
            elif key.startswith(PREFIX):
                impersonates = True
        wanted = None
        if impersonates:
            wanted = wanted_user((key, value) for key, value in context.invocation_metadata() if isinstance(value, str))
        chain = _chain(context.connection)
        return Caller(partial(self._user, chain, f"Bearer {token}" if token else ""), agent, wanted, self._authorizer)

    async def _user(self, chain: Sequence[bytes], authorization: str) -> UserInfo:
        user = await self._authentication.authenticate(chain, authorization)
        if user is ANONYMOUS:
            raise errors.unauthorized()
        return user


def admit(connection: Connection, request: RpcRequest) -> Refusal | None:
    """Refuse who shows nothing at all before anything of a message is read. What is shown, the call judges."""
    if not request.path.startswith(f"/{SERVICE}/") or _chain(connection):
        return None
    if any(name == "authorization" for name, _ in request.metadata):
        return None
    error = errors.unauthorized()
    return Refusal(grpc_code(error), error.message, trailing_metadata(error))


def _chain(connection: Connection) -> Sequence[bytes]:
    """The certificates that the client has shown on this connection."""
    chain: Sequence[bytes] | None = connection.notes.get(_CERTIFICATES)
    if chain is None:
        tls = connection.tls
        chain = connection.notes[_CERTIFICATES] = peer_chain(tls) if tls is not None else ()
    return chain
