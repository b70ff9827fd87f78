"""etcdserverpb.Auth of a store without users and roles: whoever has a certificate of the authority may do all.

It answers as an etcd in which nobody ever made a user or role, and refuses to make one. Requests need not be read for
that, so their messages are not in protos/.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from kubeactors.pb.etcd import rpc_pb2
from kubeactors.store.errors import FAILED_PRECONDITION, NotBuilt, StoreError
from kubeactors.store.node import Node
from kubeactors.store.services.calls import abort

REFUSAL = "etcdserver: this store has no users and roles of its own: clients are known by their certificates"


class AuthRefused(StoreError):
    """What etcd says of a user or role that does not exist, and of authentication that is off."""

    code = FAILED_PRECONDITION


_NO_USER = AuthRefused("etcdserver: user name not found")
_NO_ROLE = AuthRefused("etcdserver: role name not found")
_NOT_BUILT = NotBuilt(REFUSAL)

_REFUSED: dict[str, StoreError] = {
    "AuthEnable": AuthRefused("etcdserver: root user does not exist"),
    "Authenticate": AuthRefused("etcdserver: authentication is not enabled"),
    "UserAdd": _NOT_BUILT,
    "UserGet": _NO_USER,
    "UserDelete": _NO_USER,
    "UserChangePassword": _NO_USER,
    "UserGrantRole": _NO_USER,
    "UserRevokeRole": _NO_USER,
    "RoleAdd": _NOT_BUILT,
    "RoleGet": _NO_ROLE,
    "RoleDelete": _NO_ROLE,
    "RoleGrantPermission": _NO_ROLE,
    "RoleRevokePermission": _NO_ROLE,
}
# The content after the header: no names, and for AuthStatus authRevision = 1, which is where etcd begins.
_ANSWERED = {"AuthDisable": b"", "AuthStatus": b"\x18\x01", "UserList": b"", "RoleList": b""}


Handler = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


class AuthService:
    def __init__(self, node: Node) -> None:
        self._node = node

    def handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        """By the name of the method."""
        methods = {name: self._refusing(error) for name, error in _REFUSED.items()}
        methods |= {name: self._answering(content) for name, content in _ANSWERED.items()}
        return {name: grpc.unary_unary_rpc_method_handler(call) for name, call in methods.items()}

    @staticmethod
    def _refusing(error: StoreError) -> Handler:
        async def call(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            await abort(context, error)

        return call

    def _answering(self, content: bytes) -> Handler:
        async def call(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            # Every response of the service begins with the header, as this one does.
            return rpc_pb2.LeaseLeasesResponse(header=self._node.header()).SerializeToString() + content

        return call
