"""create, update and patch: decode, default, admit, prepare, validate, store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kubeactors.api import codec, errors
from kubeactors.api.errors import StatusError
from kubeactors.api.fielderrors import FieldError, go_quote, invalid
from kubeactors.api.kinds import KindRegistry, Strategy
from kubeactors.api.managedfields import Trackers, differ_in_time_only, name_of
from kubeactors.api.meta import Object, now_rfc3339
from kubeactors.api.owner_references import drop_repeated_owners
from kubeactors.api.raw_extension import drop_text
from kubeactors.apiserver.admission import AdmissionChain, Attributes, Operation
from kubeactors.apiserver.options import check_write
from kubeactors.apiserver.own_thread import OwnThread
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.applying import Configuration
from kubeactors.apiserver.registry.deletion import deleted_by_update
from kubeactors.apiserver.registry.names import ATTEMPTS, generate_name, new_uid
from kubeactors.apiserver.registry.objects import Gone, Objects, State
from kubeactors.apiserver.registry.patching import Patch
from kubeactors.apiserver.registry.resource import Resource
from kubeactors.apiserver.request import APPLY_PATCH, Form, Request, Response

# From the present object (None: there is none), which it may change, to what the client wants it to be.
Wanted = Callable[[Object | None], Object]

#: What only the server says of an object that is made; nobody comes to own them.
_SYSTEM_FIELDS = ("creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


@dataclass(slots=True)
class _Write:
    """What all steps of one write share."""

    resource: Resource
    request: Request
    strategy: Strategy
    dry_run: bool
    warnings: list[str]
    #: Whether the write's field manager takes what it changes; no: whoever made the object has seen to its managers.
    tracked: bool = True

    @property
    def name(self) -> str:
        return self.request.name

    def warn(self, texts: Sequence[str]) -> None:
        """Each text is told once, however often the write is tried."""
        for text in texts:
            if text not in self.warnings:
                self.warnings.append(text)

    def attributes(self, operation: Operation, name: str, obj: Object, old: Object | None) -> Attributes:
        request = self.request
        return Attributes(
            operation,
            self.resource.kind,
            request.namespace,
            name,
            request.subresource,
            obj,
            old,
            request.user,
            self.dry_run,
        )


class Writer:
    """Every write of an object's main resource or of a subresource that has the object for its body (status)."""

    def __init__(
        self,
        objects: Objects,
        admission: AdmissionChain,
        clock: forms.Clock,
        kinds: KindRegistry,
        own_thread: OwnThread | None = None,
    ) -> None:
        self._objects = objects
        self._admission = admission
        self._clock = clock
        self._trackers = Trackers(kinds.by_gvk)
        self._own_thread = own_thread or OwnThread()

    # --- create

    async def create(self, resource: Resource, request: Request) -> Response:
        write = self._write(resource, request)
        obj = self._decode(write)
        metadata = obj["metadata"]
        name = metadata.get("name") or ""
        for field in _SYSTEM_FIELDS:
            metadata.pop(field, None)
        write.warn(drop_repeated_owners(obj))
        self._track(write, None, obj)
        await self._admission.admit(write.attributes("CREATE", name, obj, None))
        write.warn(drop_repeated_owners(obj, admitted=True))
        if metadata.get("resourceVersion"):
            raise errors.unknown("resourceVersion should not be set on objects to be created")
        prefix = "" if name else metadata.get("generateName") or ""
        for attempt in range(ATTEMPTS):
            if prefix:
                name = metadata["name"] = generate_name(prefix)
            try:
                item = await self._create_named(write, name, obj)
            except StatusError as error:
                if not prefix or error.reason != "AlreadyExists":
                    raise
                if attempt == ATTEMPTS - 1:
                    raise errors.generate_name_conflict(resource.kind.qualified_resource, name) from error
            else:
                return self._answer(write, 201, item)
        raise AssertionError("unreachable")

    async def _create_named(self, write: _Write, name: str, obj: Object) -> bytes:
        resource = write.resource
        # Preparing changes the object; where it may be prepared again each attempt gets its own copy.
        again = self._objects.hook(resource) is not None or obj["metadata"].get("generateName")

        async def make() -> Object:
            new = obj
            if again:
                new = codec.copy(obj)
                if member := resource.kind.text_member:
                    new[member] = obj.get(member)
            await self._prepare_new(write, name, new)
            return new

        namespace = write.request.namespace if resource.kind.namespaced else ""
        return await self._objects.create(resource, namespace, name, make, dry_run=write.dry_run)

    async def _prepare_new(self, write: _Write, name: str, obj: Object) -> None:
        """From an admitted object to one that can be stored. `obj` is changed in place."""
        now = self._clock()
        metadata = obj["metadata"]
        for field in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(field, None)
        metadata["uid"] = new_uid()
        metadata["creationTimestamp"] = now_rfc3339(now)
        hook = self._objects.hook(write.resource)
        if hook is not None:
            await hook.allocate(obj, None, dry_run=write.dry_run)
        strategy = write.resource.kind.strategy
        strategy.prepare_for_create(obj, now)
        if strategy.may_take_long:
            errors_found, warnings = await self._own_thread.when_long(_checks_of_new, strategy, obj)
        else:
            errors_found, warnings = _checks_of_new(strategy, obj)
        self._check(write, name, obj, errors_found)
        write.warn(warnings)
        await self._admission.validate(write.attributes("CREATE", name, obj, None))

    # --- update and patch

    async def update(self, resource: Resource, request: Request) -> Response:
        write = self._write(resource, request)
        obj = self._decode(write)
        first = [obj]

        def wanted(old: Object | None) -> Object:
            # An attempt changes what it is given, so a second one decodes the body again.
            new = first.pop() if first else self._decode(write)
            write.warn(drop_repeated_owners(new))
            return new

        create = resource.kind.create_on_update and not request.subresource
        item, created = await self.apply(
            write.resource, request, wanted, create=create, derived=False, warnings=write.warnings
        )
        return self._answer(write, 201 if created else 200, item)

    async def patch(self, resource: Resource, request: Request) -> Response:
        if request.content_type == APPLY_PATCH:
            return await self._server_side_apply(resource, request)
        write = self._write(resource, request)
        patch = Patch(resource.kind, request)

        def wanted(old: Object | None) -> Object:
            assert old is not None
            decoded = patch.apply(old)
            write.warn(decoded.warnings)
            check_name(decoded.obj, request.name)
            check_namespace(decoded.obj, request.namespace if resource.kind.namespaced else "")
            write.strategy.default(decoded.obj)
            return decoded.obj

        item, _ = await self.apply(write.resource, request, wanted, uid_is_precondition=False, warnings=write.warnings)
        return self._answer(write, 200, item)

    async def _server_side_apply(self, resource: Resource, request: Request) -> Response:
        write = self._write(resource, request)
        kind = resource.kind
        configuration = Configuration(request)
        tracker = self._trackers.of(kind, request.subresource, write.strategy)

        def wanted(old: Object | None) -> Object:
            new, warnings = configuration.apply(tracker, old, now_rfc3339(self._clock()), kind.decoder)
            write.warn(warnings)
            if old is None and (given := new["metadata"].get("uid")):
                message = f"uid mismatch: the provided object specified uid {given}, and no existing object was found"
                raise errors.conflict(kind.qualified_resource, request.name, message)
            check_namespace(new, request.namespace if kind.namespaced else "")
            check_name(new, request.name)
            write.strategy.default(new)
            return new

        item, created = await self.apply(
            resource,
            request,
            wanted,
            create=not request.subresource,
            uid_is_precondition=False,
            tracked=False,
            warnings=write.warnings,
        )
        return self._answer(write, 201 if created else 200, item)

    async def apply(
        self,
        resource: Resource,
        request: Request,
        wanted: Wanted,
        *,
        create: bool = False,
        derived: bool = True,
        uid_is_precondition: bool = True,
        tracked: bool = True,
        warnings: list[str] | None = None,
        strategy: Strategy | None = None,
    ) -> tuple[bytes, bool]:
        """Bring an object to what `wanted` makes of it; (item bytes, whether it was created).

        `create`: make it if it is missing. `derived`: `wanted` looks at the present object; it is given None otherwise.
        `uid_is_precondition`: another uid than the present one is a conflict; otherwise a change of a frozen field.
        `tracked`: the request's field manager comes to own what differs; otherwise `wanted` gives managedFields too.
        `strategy`: instead of the request's subresource's.
        """
        write = self._write(resource, request, warnings, strategy)
        write.tracked = tracked
        namespace = request.namespace if resource.kind.namespaced else ""

        async def change(state: State) -> Object:
            if state.obj is None:
                if not create:
                    raise errors.not_found(resource.kind.qualified_resource, request.name)
                return await self._changed_to_new(write, wanted(None))
            old: Object = state.obj
            # What is wanted may be made out of the old object, which is compared with afterwards.
            base = resource.decode(state.item) if derived else None
            if base is not None and (member := resource.kind.text_member):
                drop_text(base, member)
            new = wanted(base)
            if uid_is_precondition:
                self._check_uid(write, new, old)
            return await self._changed(write, new, old)

        return await self._objects.update(resource, namespace, request.name, change, dry_run=write.dry_run)

    async def _changed_to_new(self, write: _Write, new: Object) -> Object:
        given = new["metadata"].get("uid")
        if given:
            raise self._uid_conflict(write, given, "")
        self._track(write, None, new)
        await self._admission.admit(write.attributes("CREATE", write.name, new, None))
        write.warn(drop_repeated_owners(new, admitted=True))
        await self._prepare_new(write, write.name, new)
        return new

    async def _changed(self, write: _Write, new: Object, old: Object) -> Object:
        """Check an update's preconditions, complete and validate it. `new` is changed in place."""
        kind, request = write.resource.kind, write.request
        new_meta, old_meta = new["metadata"], old["metadata"]
        self._check_version(write, new_meta, old_meta)
        if not write.dry_run:
            new_meta.pop("selfLink", None)  # never kept
        self._track(write, old, new)
        attributes = write.attributes("UPDATE", request.name, new, old)
        await self._admission.admit(attributes)
        write.warn(drop_repeated_owners(new, admitted=True))
        hook = self._objects.hook(write.resource)
        if hook is not None and not request.subresource:
            await hook.allocate(new, old, dry_run=write.dry_run)
        strategy = write.strategy
        strategy.prepare_for_update(new, old, self._clock())
        if strategy.may_take_long:
            errors_found, warnings = await self._own_thread.when_long(_checks_of_change, strategy, new, old)
        else:
            errors_found, warnings = _checks_of_change(strategy, new, old)
        self._check(write, request.name, new, errors_found)
        write.warn(warnings)
        await self._admission.validate(attributes)
        if deleted_by_update(kind, new, old):
            raise Gone(new)
        _keep_times(new, old)
        return new

    def _track(self, write: _Write, old: Object | None, new: Object) -> None:
        """Let the request's field manager own what it changes. `new` is changed in place."""
        if not write.tracked:
            return
        request = write.request
        tracker = self._trackers.of(write.resource.kind, request.subresource, write.strategy)
        manager = name_of(request.options.field_manager, request.user_agent)
        tracker.update(old, new, manager, now_rfc3339(self._clock()))

    def _check_uid(self, write: _Write, new: Object, old: Object) -> None:
        """The precondition of an update. A patch has none: there a uid is a field like others, which may not change."""
        given, found = new["metadata"].get("uid"), old["metadata"].get("uid") or ""
        if given and given != found:
            raise self._uid_conflict(write, given, found)

    @staticmethod
    def _check_version(write: _Write, new_meta: dict[str, Any], old_meta: dict[str, Any]) -> None:
        """The optimistic lock: a version in the new object must be the present one."""
        version = new_meta.get("resourceVersion") or ""
        present = old_meta.get("resourceVersion")
        if version == present:
            return
        kind, name = write.resource.kind, write.request.name
        if version in ("", "0"):
            if not kind.unconditional_update:
                cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
                raise errors.invalid(kind.qualified_resource, name, [cause])
            new_meta["resourceVersion"] = present
            return
        if not (version.isascii() and version.isdigit()):
            raise errors.unknown(f"strconv.ParseUint: parsing {go_quote(version)}: invalid syntax")
        raise errors.conflict(kind.qualified_resource, name)

    @staticmethod
    def _uid_conflict(write: _Write, given: str, found: str) -> StatusError:
        resource, request = write.resource, write.request
        key = resource.key(request.namespace, request.name).decode()
        message = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {given}, UID in object meta: {found}"
        )
        return errors.conflict(resource.kind.qualified_resource, request.name, message)

    # --- common

    def _decode(self, write: _Write) -> Object:
        """The object in the request's body, checked against the URL and defaulted."""
        request, kind = write.request, write.resource.kind
        decoded = codec.decode(
            kind,
            request.body,
            content_type=request.content_type,
            field_validation=request.options.field_validation or codec.WARN,
        )
        write.warn(decoded.warnings)
        obj = decoded.obj
        check_namespace(obj, request.namespace if kind.namespaced else "")
        if request.name:
            check_name(obj, request.name)
        write.strategy.default(obj)
        return obj

    def _write(
        self,
        resource: Resource,
        request: Request,
        warnings: list[str] | None = None,
        strategy: Strategy | None = None,
    ) -> _Write:
        check_write(request)
        if strategy is None:
            strategy = resource.kind.strategy_for(request.subresource)
            if strategy is None:
                raise errors.method_not_supported(
                    f"{resource.kind.qualified_resource}/{request.subresource}", request.verb
                )
        dry_run = bool(request.options.dry_run)
        return _Write(resource, request, strategy, dry_run, [] if warnings is None else warnings)

    @staticmethod
    def _check(write: _Write, name: str, obj: Object, found: Sequence[FieldError]) -> None:
        if found:
            # A custom resource may say that it is of another kind, which is then told as its own.
            group = write.resource.kind.group
            raise errors.invalid(f"{obj['kind']}.{group}" if group else obj["kind"], name, found)

    def _answer(self, write: _Write, status: int, item: bytes) -> Response:
        resource, request = write.resource, write.request
        if request.form is not Form.OBJECT:
            return Response(status, forms.render_one(resource, item, request, self._clock), warnings=write.warnings)
        return Response(status, resource.whole(item), warnings=write.warnings)


_Checked = tuple[Sequence[FieldError], Sequence[str]]


def _checks_of_new(strategy: Strategy, obj: Object) -> _Checked:
    """(what is wrong, what to warn of if nothing is)."""
    found = strategy.validate_create(obj)
    return found, () if found else strategy.warnings_on_create(obj)


def _checks_of_change(strategy: Strategy, new: Object, old: Object) -> _Checked:
    found = strategy.validate_update(new, old)
    return found, () if found else strategy.warnings_on_update(new, old)


def _keep_times(new: Object, old: Object) -> None:
    """Give back the times of managedFields where nothing but these would change, so that nothing is written."""
    metadata, old_metadata = new["metadata"], old["metadata"]
    entries, old_entries = metadata.get("managedFields"), old_metadata.get("managedFields")
    if not entries or not old_entries or entries == old_entries or not differ_in_time_only(entries, old_entries):
        return
    rest = {**new, "metadata": {**metadata, "managedFields": old_entries}}
    if rest == old:
        metadata["managedFields"] = old_entries


def check_namespace(obj: Object, namespace: str) -> None:
    """The body's namespace is the URL's, or not given; empty: the kind has none. Raises StatusError (400)."""
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = obj["metadata"] = {}
    given = metadata.get("namespace") or ""
    if namespace and not given:
        metadata["namespace"] = namespace
    elif given and not namespace:
        del metadata["namespace"]
    elif given != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_name(obj: Object, name: str) -> None:
    """The body's name is the URL's. Raises StatusError (400)."""
    given = (obj.get("metadata") or {}).get("name") or ""
    if not given:
        raise errors.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if given != name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
