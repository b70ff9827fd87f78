"""TokenReview and SelfSubjectReview (authentication.k8s.io/v1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from kubeactors.api import errors
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.apiserver.authn.tokens import UNKNOWN, TokenRefused, Tokens
from kubeactors.apiserver.request import Request, Response
from kubeactors.apiserver.reviews.review import answer, question, user_document


class TokenReviews:
    """Says whom a bearer token stands for."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def create(self, request: Request) -> Response:
        """Raises StatusError (400) without a token."""
        asked = question(request)
        spec = asked.obj["spec"]
        token = spec.get("token") or ""
        if not token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        status: Object = {"user": {}}
        try:
            found = await self._tokens.authenticate(token, spec.get("audiences") or ())
        except TokenRefused as error:
            status["error"] = _as_told(str(error))
        else:
            status = {"authenticated": True, "user": user_document(found.user), "audiences": list(found.audiences)}
        return answer(request, {"metadata": asked.obj["metadata"], "spec": spec, "status": status}, asked.warnings)


def _as_told(refusal: str) -> str:
    """As Kubernetes words it, whose server asks first whether the token is its own for calls to itself."""
    return refusal if refusal == UNKNOWN else f"[{UNKNOWN}, {refusal}]"


class SelfSubjectReviews:
    """Says who asks. `now` returns the time in UTC."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def create(self, request: Request) -> Response:
        asked = question(request)
        metadata = {"creationTimestamp": now_rfc3339(self._now())}
        status = {"userInfo": user_document(request.user)}
        return answer(request, {"metadata": metadata, "status": status}, asked.warnings)
