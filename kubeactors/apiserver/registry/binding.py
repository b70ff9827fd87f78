"""pods/binding: a scheduler gives a pod its node, once."""

from __future__ import annotations

from datetime import datetime

import orjson

from kubeactors.api import codec, errors
from kubeactors.api.fielderrors import go_quote
from kubeactors.api.meta import Object, is_deleting, set_condition
from kubeactors.apiserver.admission import AdmissionChain, Attributes
from kubeactors.apiserver.options import check_write
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.objects import Objects, State
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.writes import check_namespace
from kubeactors.apiserver.request import Request, Response

_SCHEMA = "io.k8s.api.core.v1.Binding"
_DONE = orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


def check_binding(binding: Object) -> None:
    """Raises StatusError: 500, as the real server answers to a bad Binding."""
    target = binding.get("target") or {}
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        shown = go_quote(target["kind"])
        problems.append(f'target.kind: Unsupported value: {shown}: supported values: "Node", "<empty>"')
    if not target.get("name"):
        problems.append("target.name: Required value")
    if problems:
        raise errors.unknown(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def bind(pod: Object, binding: Object, now: datetime) -> None:
    """Put the pod on the binding's node, in place. Raises StatusError (409)."""
    metadata, spec = pod["metadata"], pod.setdefault("spec", {})
    name, given = metadata["name"], binding["metadata"]
    if given.get("uid") and given["uid"] != metadata.get("uid"):
        message = (
            f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {metadata.get('uid', '')}"
        )
        raise _refused(name, message)
    if given.get("resourceVersion") and given["resourceVersion"] != metadata.get("resourceVersion"):
        raise errors.conflict("pods/binding", name)
    if is_deleting(pod):
        raise _refused(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _refused(name, f"pod {name} is already assigned to node {go_quote(spec['nodeName'])}")
    if spec.get("schedulingGates"):
        raise _refused(name, f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = binding["target"]["name"]
    if given.get("annotations"):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **given["annotations"]}
    if given.get("labels"):
        metadata["labels"] = {**given["labels"], **(metadata.get("labels") or {})}
    set_condition(pod, "PodScheduled", "True", now=now, lastProbeTime=None)


def _refused(name: str, message: str) -> errors.StatusError:
    return errors.conflict("pods/binding", name, message)


class Bindings:
    """create of pods/binding."""

    def __init__(self, objects: Objects, admission: AdmissionChain, clock: forms.Clock) -> None:
        self._objects = objects
        self._admission = admission
        self._clock = clock

    async def create(self, resource: Resource, request: Request) -> Response:
        return await self._bind(resource, request, request.name)

    async def create_by_old_path(self, pods: Resource, request: Request) -> Response:
        """create of bindings: the body names the pod."""
        return await self._bind(pods, request, "")

    async def _bind(self, resource: Resource, request: Request, name: str) -> Response:
        """`name` empty: the binding's own."""
        check_write(request)
        decoded = codec.decode_definition(
            _SCHEMA,
            "Binding",
            "v1",
            request.body,
            content_type=request.content_type,
            field_validation=request.options.field_validation or codec.WARN,
        )
        binding = decoded.obj
        check_namespace(binding, request.namespace)
        given = binding["metadata"].get("name") or ""
        name = name or given
        if given and given != name:
            raise errors.bad_request("name in URL does not match name in Binding object")
        check_binding(binding)
        dry_run = bool(request.options.dry_run)
        attributes = Attributes(
            "CREATE",
            resource.kind,
            request.namespace,
            name,
            "binding",
            binding,
            None,
            request.user,
            dry_run,
        )
        await self._admission.admit(attributes)
        await self._admission.validate(attributes)

        async def change(state: State) -> Object:
            if state.obj is None:
                raise errors.not_found("pods", name)
            bind(state.obj, binding, self._clock())
            return state.obj

        await self._objects.update(resource, request.namespace, name, change, dry_run=dry_run)
        return Response(201, _DONE, warnings=decoded.warnings)
