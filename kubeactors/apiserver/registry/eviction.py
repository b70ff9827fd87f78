"""pods/eviction: a pod is deleted if the disruption budget over it allows that (policy/v1 Eviction)."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import orjson

from kubeactors.api import codec, disruption, errors
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, get_condition, set_condition
from kubeactors.apiserver.admission import AdmissionChain, Attributes
from kubeactors.apiserver.options import DeleteOptions, check_write, delete_options_of
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.deletes import Deleter
from kubeactors.apiserver.registry.deletion import check_preconditions
from kubeactors.apiserver.registry.objects import Objects, State
from kubeactors.apiserver.registry.reads import Reader
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import check_namespace
from kubeactors.apiserver.request import JSON, Request, Response

_SCHEMA: Final = "io.k8s.api.policy.v1.Eviction"
_KIND: Final = "Eviction"
# The older version differs in its name only, and clients of the time still send it.
_VERSIONS: Final = ("policy/v1", "policy/v1beta1")
_DONE: Final = orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
_REFUSED: Final = "Cannot evict pod as it would violate the pod's disruption budget."
_ATTEMPTS: Final = 20


class Evictions:
    """create of pods/eviction. `budgets` is the resource of the pod disruption budgets."""

    def __init__(
        self,
        budgets: Resource,
        reader: Reader,
        objects: Objects,
        deleter: Deleter,
        admission: AdmissionChain,
        clock: forms.Clock,
    ) -> None:
        self._budgets = budgets
        self._reader = reader
        self._objects = objects
        self._deleter = deleter
        self._admission = admission
        self._clock = clock

    async def create(self, resource: Resource, request: Request) -> Response:
        check_write(request)
        decoded = codec.decode_definition(
            _SCHEMA,
            _KIND,
            _version_of(request),
            request.body,
            content_type=request.content_type,
            field_validation=request.options.field_validation or codec.WARN,
        )
        eviction = decoded.obj
        check_namespace(eviction, request.namespace)
        if (eviction["metadata"].get("name") or "") != request.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        options = _delete_options(eviction, request)
        attributes = Attributes(
            "CREATE",
            resource.kind,
            request.namespace,
            request.name,
            "eviction",
            eviction,
            None,
            request.user,
            bool(options.dry_run),
        )
        await self._admission.admit(attributes)
        await self._admission.validate(attributes)
        await self._evict(resource, request, options)
        return Response(201, _DONE, warnings=decoded.warnings)

    async def _evict(self, resource: Resource, request: Request, options: DeleteOptions) -> None:
        for attempt in range(_ATTEMPTS):
            pod = (await self._objects.present(resource, request.namespace, request.name)).obj
            if pod is None:
                raise errors.not_found(resource.kind.qualified_resource, request.name)
            if not disruption.needs_no_budget(pod):
                await self._evict_within_budget(resource, request, pod, options)
                return
            try:
                guarded = _only_this(pod, options) if disruption.may_become_ready(pod) else options
                await self._delete(resource, request, guarded)
            except StatusError as error:
                # A pod that has changed may need a budget now; a version that the client gave stays the client's.
                if error.code != 409 or options.precondition_version is not None or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    async def _evict_within_budget(
        self, resource: Resource, request: Request, pod: Object, options: DeleteOptions
    ) -> None:
        items = await self._reader.in_namespace(self._budgets, request.namespace)
        budgets = [b for b in map(self._budgets.decode, items) if disruption.selects(b, pod)]
        if len(budgets) > 1:
            raise errors.unknown(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            )
        if not budgets:
            await self._delete(resource, request, options)
            return
        name = budgets[0]["metadata"]["name"]
        if not disruption.spares_unready(budgets[0], pod):
            await self._take_allowance(request.namespace, name, request.name, dry_run=bool(options.dry_run))
            await self._delete(resource, request, options)
            return
        try:
            await self._delete(resource, request, _only_this(pod, options))
        except StatusError as error:
            if error.code == 409 and options.precondition_version is None:
                # It may have become ready.
                raise _being_processed(name) from error
            raise

    async def _take_allowance(self, namespace: str, name: str, pod_name: str, *, dry_run: bool) -> None:
        async def change(state: State) -> Object:
            if state.obj is None:
                raise errors.not_found(self._budgets.kind.qualified_resource, name)
            check_allowance(state.obj)
            disruption.use_allowance(state.obj, pod_name, self._clock())
            return state.obj

        await self._objects.update(self._budgets, namespace, name, change, dry_run=dry_run)

    async def _delete(self, resource: Resource, request: Request, options: DeleteOptions) -> None:
        """Say in the pod's status why it goes, then delete it."""
        if not options.dry_run:

            async def change(state: State) -> Object:
                if state.obj is None:
                    raise errors.not_found(resource.kind.qualified_resource, request.name)
                check_preconditions(resource.kind, state.obj, options)
                set_condition(
                    state.obj,
                    "DisruptionTarget",
                    "True",
                    now=self._clock(),
                    reason="EvictionByEvictionAPI",
                    message="Eviction API: evicting",
                    lastProbeTime=None,
                )
                return state.obj

            item, _ = await self._objects.update(resource, request.namespace, request.name, change, dry_run=False)
            if options.precondition_version is not None:
                version = resource.decode(item)["metadata"]["resourceVersion"]
                options = dataclasses.replace(options, precondition_version=version)
        await self._deleter.delete_object(resource, request, request.namespace, request.name, options)


def check_allowance(budget: Object) -> None:
    """Raises StatusError: 429 if the budget allows no eviction now, 403 if it cannot tell."""
    metadata, status = budget["metadata"], budget.get("status") or {}
    name = metadata["name"]
    if (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0):
        raise _being_processed(name)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudget.policy", name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or {}) > disruption.MAX_DISRUPTED:
        message = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudget.policy", name, message)
    if allowed > 0:
        return
    condition = get_condition(budget, disruption.ALLOWED) or {}
    if condition.get("status") == "False" and condition.get("reason") == disruption.SYNC_FAILED:
        raise _too_many(
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{condition.get('message') or ''}"
        )
    desired, current = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    raise _too_many(f"The disruption budget {name} needs {desired} healthy pods and has {current} currently")


def _being_processed(name: str) -> StatusError:
    return _too_many(f"The disruption budget {name} is still being processed by the server.", retry_after=10)


def _too_many(cause: str, retry_after: int = 0) -> StatusError:
    error = errors.too_many_requests(_REFUSED, retry_after)
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    error.status["details"] = details
    return error


def _only_this(pod: Object, options: DeleteOptions) -> DeleteOptions:
    """The options with the condition that the pod is still in this state, unless they have one of their own."""
    if options.precondition_version is not None:
        return options
    return dataclasses.replace(options, precondition_version=pod["metadata"]["resourceVersion"])


def _version_of(request: Request) -> str:
    if request.content_type == JSON:
        try:
            given = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return _VERSIONS[0]  # decoding tells what is wrong
        if isinstance(given, dict) and given.get("apiVersion") in _VERSIONS:
            return str(given["apiVersion"])
    return _VERSIONS[0]


def _delete_options(eviction: Object, request: Request) -> DeleteOptions:
    """The options in the body, with the request's dry run. Raises StatusError (500) where the two differ."""
    options = delete_options_of(eviction.get("deleteOptions"))
    asked = tuple(request.options.dry_run)
    if not options.dry_run:
        return dataclasses.replace(options, dry_run=asked)
    if asked and asked != options.dry_run:
        raise errors.unknown(
            f"Non-matching dry-run options in request and content: [{' '.join(asked)}] and "
            f"[{' '.join(options.dry_run)}]"
        )
    return options
