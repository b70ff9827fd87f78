"""create of serviceaccounts/token: TokenRequest (authentication.k8s.io/v1).

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from kubeactors.api import codec, errors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import FieldError, invalid
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.apiserver.accounts.service import AccountKeys
from kubeactors.apiserver.admission import AdmissionChain, Attributes
from kubeactors.apiserver.options import check_write
from kubeactors.apiserver.registry.names import new_uid
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import check_namespace
from kubeactors.apiserver.request import Request, Response
from kubeactors.pki.token_claims import Bound, Reference, token_claims

SCHEMA: Final = "io.k8s.api.authentication.v1.TokenRequest"
_KIND: Final = "TokenRequest"
_VERSION: Final = "authentication.k8s.io/v1"
_QUALIFIED: Final = "TokenRequest.authentication.k8s.io"

DEFAULT_SECONDS: Final = 3600
_SHORTEST, _LONGEST = 600, 1 << 32
#: What the volume that every pod has asks for. Such a token lives on for a year, for programs that read the file only
#: once (KEP-1205), and says after which time its use is worth a warning.
EXTENDED_FROM: Final = 3607
_EXTENDED: Final = 365 * 24 * 3600

#: The object of a plural, namespace and name. Raises StatusError (404).
Get = Callable[[str, str, str], Awaitable[Object]]


def request_errors(spec: Object) -> list[FieldError]:
    """What is wrong with a defaulted spec."""
    seconds = spec["expirationSeconds"]
    field = "spec.expirationSeconds"
    if seconds < _SHORTEST:
        return [invalid(field, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > _LONGEST:
        return [invalid(field, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


class TokenRequests:
    """`audiences` are those of this API server. `now` returns the time in UTC."""

    def __init__(
        self,
        keys: AccountKeys,
        audiences: Sequence[str],
        get: Get,
        admission: AdmissionChain,
        now: Callable[[], datetime],
    ) -> None:
        self._keys = keys
        self._audiences = list(audiences)
        self._get = get
        self._admission = admission
        self._now = now

    async def create(self, resource: Resource, request: Request) -> Response:
        """Sign a token. Raises StatusError: 400, 404, 409, 422."""
        check_write(request)
        decoded = codec.decode_definition(
            SCHEMA,
            _KIND,
            _VERSION,
            request.body,
            content_type=request.content_type,
            field_validation=request.options.field_validation or codec.WARN,
        )
        asked = decoded.obj
        check_namespace(asked, request.namespace)
        attributes = Attributes(
            "CREATE",
            resource.kind,
            request.namespace,
            request.name,
            request.subresource,
            asked,
            None,
            request.user,
            bool(request.options.dry_run),
        )
        await self._admission.admit(attributes)
        self._check_name(asked["metadata"], request.name)
        account = await self._get("serviceaccounts", request.namespace, request.name)
        now = self._now()
        spec = self._complete(asked, account, now)
        found = request_errors(spec)
        if found:
            raise errors.invalid(_QUALIFIED, "", found)
        await self._admission.validate(attributes)
        bound = await self._bound(spec.get("boundObjectRef"), request)
        self._sign(asked, account, bound, now)
        return Response(201, orjson.dumps(asked), warnings=decoded.warnings)

    @staticmethod
    def _check_name(metadata: Object, name: str) -> None:
        given = metadata.get("name")
        if given and given != name:
            cause = invalid("metadata.name", given, "must match the service account name if specified")
            raise errors.invalid(_QUALIFIED, name, [cause])

    def _complete(self, asked: Object, account: Object, now: datetime) -> Object:
        """Fill what the client left out, in place; gives the spec."""
        metadata, of = asked["metadata"], account["metadata"]
        given = metadata.get("uid")
        if given and given != of["uid"]:
            message = (
                f"the UID in the token request ({given}) does not match the UID of the service account ({of['uid']})"
            )
            raise errors.conflict(_QUALIFIED, of["name"], message)
        metadata.update(name=of["name"], namespace=of["namespace"], uid=of["uid"])
        metadata["creationTimestamp"] = now_rfc3339(now)
        spec: Object = asked.setdefault("spec", {})
        spec["audiences"] = spec.get("audiences") or self._audiences
        spec["expirationSeconds"] = (
            DEFAULT_SECONDS if spec.get("expirationSeconds") is None else spec["expirationSeconds"]
        )
        spec.setdefault("boundObjectRef", None)
        asked.pop("status", None)
        return spec

    async def _bound(self, reference: Object | None, request: Request) -> Bound:
        """What the token is bound to. Raises StatusError."""
        if reference is None:
            return Bound()
        kind, version = reference.get("kind") or "", reference.get("apiVersion") or ""
        group = version.partition("/")[0] if "/" in version else ""
        name, namespace = reference.get("name") or "", request.namespace
        if group or kind not in ("Pod", "Secret", "Node"):
            what = f"{version if '/' in version else '/' + version}, Kind={kind}"
            raise errors.bad_request(f"cannot bind token to object of type {what}")
        if not name:
            raise errors.bad_request("Name parameter required.")
        obj = await self._get(f"{kind.lower()}s", "" if kind == "Node" else namespace, name)
        node = None
        if kind == "Pod":
            spec = obj.get("spec") or {}
            if spec.get("serviceAccountName") != request.name:
                raise errors.bad_request(
                    f'cannot bind token for serviceaccount "{request.name}" '
                    "to pod running with different serviceaccount name."
                )
            node = await self._node_of(spec.get("nodeName") or "")
        given, uid = reference.get("uid"), obj["metadata"]["uid"]
        if given and given != uid:
            message = (
                f"the UID in the bound object reference ({given}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict(kind, name, message)
        if kind == "Pod":
            return Bound(pod=Reference.to(obj), node=node)
        return Bound(secret=Reference.to(obj)) if kind == "Secret" else Bound(node=Reference.to(obj))

    async def _node_of(self, name: str) -> Reference | None:
        """The node that a pod is on; by its name alone if there is no such node."""
        if not name:
            return None
        try:
            return Reference.to(await self._get("nodes", "", name))
        except StatusError as error:
            if error.code != 404:
                raise
            return Reference(name, "")

    def _sign(self, asked: Object, account: Object, bound: Bound, now: datetime) -> None:
        spec = asked["spec"]
        seconds = spec["expirationSeconds"]
        lives, warn_after = seconds, 0
        if bound.pod is not None and seconds == EXTENDED_FROM and set(spec["audiences"]) <= set(self._audiences):
            lives, warn_after = _EXTENDED, seconds
        claims = token_claims(
            account,
            bound,
            issuer=self._keys.issuer,
            audiences=spec["audiences"],
            now=now,
            seconds=lives,
            token_id=new_uid(),
            warn_after=warn_after,
        )
        ends = now.astimezone(UTC) + timedelta(seconds=seconds)
        asked["status"] = {"token": self._keys.signer.sign(claims), "expirationTimestamp": now_rfc3339(ends)}
