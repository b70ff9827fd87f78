"""delete and deletecollection."""

from __future__ import annotations

import asyncio

import orjson

from kubeactors.api import codec, errors, yaml
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.admission import AdmissionChain, Attributes
from kubeactors.apiserver.options import DELETE_MEDIA_TYPES, DeleteOptions, check_list, delete_options
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.deletion import Action, check_preconditions, decide, returns_deleted
from kubeactors.apiserver.registry.objects import Objects, State, same
from kubeactors.apiserver.registry.reads import Reader
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.registry.selectors import check_selectors
from kubeactors.apiserver.request import JSON, YAML, Form, Request, Response
from kubeactors.apiserver.storage.encoding import to_item, with_revision

# How many objects of a collection are deleted at a time.
_WORKERS = 16
_MAX_ATTEMPTS = 64


class Deleter:
    """Deletes objects by the rules of `deletion.decide`."""

    def __init__(self, objects: Objects, reader: Reader, admission: AdmissionChain, clock: forms.Clock) -> None:
        self._objects = objects
        self._reader = reader
        self._admission = admission
        self._clock = clock

    async def delete(self, resource: Resource, request: Request) -> Response:
        options = delete_options(request, parse_delete_options)
        deleted, item = await self.delete_object(resource, request, request.namespace, request.name, options)
        # The client asked for a cascade and the object waits for it.
        status = 202 if not deleted and options.orphan_dependents is False else 200
        if deleted and not returns_deleted(resource.kind):
            return Response(status, orjson.dumps(_success(resource, resource.decode(item))))
        if request.form is not Form.OBJECT:
            return Response(status, forms.render_one(resource, item, request, self._clock))
        return Response(status, resource.whole(item))

    async def delete_object(
        self, resource: Resource, request: Request, namespace: str, name: str, options: DeleteOptions
    ) -> tuple[bool, bytes]:
        """(whether the object is gone, its item bytes as it is or was). Raises StatusError: 404, 409."""
        kind = resource.kind
        namespace = namespace if kind.namespaced else ""
        dry_run = bool(options.dry_run)
        attributes = Attributes("DELETE", kind, namespace, name, "", None, None, request.user, dry_run)
        await self._admission.admit(attributes)
        state = await self._objects.cached(resource, namespace, name)
        if state is None:
            state = await self._objects.present(resource, namespace, name)
        live = False
        for _ in range(_MAX_ATTEMPTS):
            if state.obj is None:
                raise errors.not_found(kind.qualified_resource, name)
            try:
                check_preconditions(kind, state.obj, options)
            except StatusError:
                if live:
                    raise
                state, live = await self._objects.present(resource, namespace, name), True
                continue
            attributes.old = state.obj
            await self._admission.validate(attributes)
            done = await self._step(resource, namespace, name, state, options, dry_run)
            if done is not None:
                return done
            state, live = await self._objects.present(resource, namespace, name), True
        raise errors.conflict(kind.qualified_resource, name)

    async def _step(
        self, resource: Resource, namespace: str, name: str, state: State, options: DeleteOptions, dry_run: bool
    ) -> tuple[bool, bytes] | None:
        """Carry out what is decided on this state; None if the object has changed since."""
        assert state.obj is not None
        decision = decide(resource.kind, state.obj, options, self._clock())
        objects = self._objects
        if decision.action is Action.NOTHING:
            return False, state.item
        if decision.action is Action.DELETE:
            if dry_run:
                return True, state.item
            revision = await objects.delete(resource, namespace, name, state)
            return None if revision is None else (True, with_revision(state.item, revision))
        form = resource.form(decision.obj)
        gone = decision.action is Action.WRITE_THEN_DELETE
        if dry_run:
            return gone, to_item(form, state.revision)
        if not gone and same(form, state.item):
            return False, state.item
        written = await objects.replace(resource, namespace, name, state, form)
        if written is None:
            return None
        if not gone:
            return False, written.item
        revision = await objects.delete(resource, namespace, name, written)
        if revision is not None:
            return True, with_revision(written.item, revision)
        # It was deleted or changed by another meanwhile: look again.
        present = await objects.present(resource, namespace, name)
        return (True, written.item) if present.obj is None else None

    async def delete_collection(self, resource: Resource, request: Request) -> Response:
        """Deletes what a list with the same options shows; answers with that list."""
        found = request.options
        check_selectors(found.label_selector, found.field_selector)
        check_list(found, watch=False)
        options = delete_options(request, parse_delete_options)
        page = await self._reader.page(resource, request)
        limit = asyncio.Semaphore(_WORKERS)

        async def delete_one(obj: Object) -> None:
            metadata = obj["metadata"]
            async with limit:
                try:
                    await self.delete_object(
                        resource, request, metadata.get("namespace") or "", metadata["name"], options
                    )
                except StatusError as error:
                    if error.reason != "NotFound":
                        raise

        results = await asyncio.gather(*(delete_one(orjson.loads(item)) for item in page.items), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return await self._reader.answer(resource, request, page)


def parse_delete_options(body: bytes, content_type: str) -> object:
    """The document in a delete's body. Raises StatusError (400, 415)."""
    if content_type not in (JSON, YAML, ""):
        raise errors.unsupported_media_type(DELETE_MEDIA_TYPES)
    try:
        return yaml.load(body)[0] if content_type == YAML else codec.parse_json(body)
    except ValueError as error:
        raise errors.bad_request(
            "the object provided is unrecognized (must be of type DeleteOptions): couldn't get version/kind; "
            f"json parse error: {error}"
        ) from error


def _success(resource: Resource, obj: Object) -> Object:
    kind, metadata = resource.kind, obj["metadata"]
    details = {"name": metadata["name"], "kind": kind.plural, "uid": metadata.get("uid") or ""}
    if kind.group:
        details["group"] = kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
