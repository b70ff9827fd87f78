"""The access reviews of authorization.k8s.io/v1: the authorizer's answers to anybody's questions."""

from __future__ import annotations

from kubeactors.api import errors
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.meta import Object
from kubeactors.api.validation.review import (
    local_subject_access_review_errors,
    self_subject_access_review_errors,
    subject_access_review_errors,
)
from kubeactors.apiserver.authz import Attributes, Authorizer
from kubeactors.apiserver.request import Request, Response, UserInfo
from kubeactors.apiserver.reviews.review import answer, question

# Kubernetes names no kind here.
_QUALIFIED = ".authorization.k8s.io"


class AccessReviews:
    """Subject, self subject and local subject access reviews, and the rules of the user who asks."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def subject(self, request: Request) -> Response:
        """May that user? Raises StatusError (422)."""
        asked = question(request)
        _check(subject_access_review_errors(asked.obj))
        return await self._judge(request, asked.obj, _subject(asked.obj["spec"]), asked.warnings)

    async def local(self, request: Request) -> Response:
        """May that user, in this namespace? Raises StatusError (422)."""
        asked = question(request)
        _check(local_subject_access_review_errors(asked.obj))
        return await self._judge(request, asked.obj, _subject(asked.obj["spec"]), asked.warnings)

    async def own(self, request: Request) -> Response:
        """May I? Raises StatusError (422)."""
        asked = question(request)
        _check(self_subject_access_review_errors(asked.obj))
        return await self._judge(request, asked.obj, request.user, asked.warnings)

    async def rules(self, request: Request) -> Response:
        """What may I, in a namespace? Raises StatusError (400)."""
        asked = question(request)
        namespace = asked.obj["spec"].get("namespace") or ""
        if not namespace:
            raise errors.bad_request("no namespace on request")
        found = await self._authorizer.rules(request.user, namespace)
        status: Object = {
            "resourceRules": found.resources,
            "nonResourceRules": found.paths,
            "incomplete": found.incomplete,
        }
        if found.error:
            status["evaluationError"] = found.error
        return answer(request, {"metadata": {}, "spec": {}, "status": status}, asked.warnings)

    async def _judge(self, request: Request, asked: Object, user: UserInfo, warnings: list[str]) -> Response:
        decision = await self._authorizer.authorize(_attributes(user, asked["spec"]))
        status: Object = {"allowed": decision.allowed}
        if decision.denied:
            status["denied"] = True
        if decision.reason:
            status["reason"] = decision.reason
        if decision.error:
            status["evaluationError"] = decision.error
        return answer(request, {"metadata": asked["metadata"], "spec": asked["spec"], "status": status}, warnings)


def _check(found: list[FieldError]) -> None:
    if found:
        raise errors.invalid(_QUALIFIED, "", found)


def _subject(spec: Object) -> UserInfo:
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return UserInfo(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _attributes(user: UserInfo, spec: Object) -> Attributes:
    resource = spec.get("resourceAttributes")
    if resource is None:
        path = spec["nonResourceAttributes"]
        return Attributes(user, path.get("verb") or "", path=path.get("path") or "/")
    fields = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    return Attributes(user, *(resource.get(field) or "" for field in fields))
