"""ComponentStatus: the store by asking it, the scheduler and the controller manager by the leases that they renew.

Kubernetes asks the latter two on ports of its own machine. Here any master may have the leader, which a lease tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from kubeactors.api import errors, table
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object, parse_time
from kubeactors.apiserver.registry import forms
from kubeactors.apiserver.registry.selectors import matcher_for
from kubeactors.apiserver.request import Form, ListItems, Request, Response
from kubeactors.apiserver.watchcache.record import Record
from kubeactors.store.errors import StoreError

STORE: Final = "etcd-0"
_LEASES: Final = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}


def lease_problem(lease: Object | None, now: datetime) -> str:
    """Why nobody leads by a lease; empty: somebody does."""
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return "no leader"
    late = now - parse_time(spec["renewTime"]) - timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    return f"the leader has not renewed its lease since {spec['renewTime']}" if late > timedelta(0) else ""


class ComponentStatuses:
    """get and list. `revision` asks the store, `lease` finds one of kube-system."""

    def __init__(
        self,
        revision: Callable[[], Awaitable[int]],
        lease: Callable[[str], Object | None],
        clock: forms.Clock,
    ) -> None:
        self._revision = revision
        self._lease = lease
        self._clock = clock

    async def get(self, request: Request) -> Response:
        found = next((each for each in await self._all() if each["metadata"]["name"] == request.name), None)
        if found is None:
            # No NotFound: so do Kubernetes' clients know it.
            raise errors.unknown(f"Component not found: {request.name}")
        if request.form is Form.OBJECT:
            return Response(200, orjson.dumps(found))
        return Response(200, forms.render_object(request.kind, found, request, self._clock))

    async def list(self, request: Request) -> Response:
        kind, options = request.kind, request.options
        matcher = matcher_for(kind, "", request.name, options.label_selector, options.field_selector)
        shown = [each for each in await self._all() if matcher.matches(_record(kind, each))]
        if request.items and request.form is not Form.TABLE:
            whole = request.form is Form.OBJECT
            told = [each if whole else table.partial_object_metadata(kind, each) for each in shown]
            return Response(200, items=ListItems([orjson.dumps(each) for each in told], ""))
        if request.form is Form.OBJECT:
            items = [{k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in shown]
            document: Object = {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": {}, "items": items}
        elif request.form is Form.PARTIAL:
            parts = [table.partial_object_metadata(kind, each) for each in shown]
            document = {
                "kind": "PartialObjectMetadataList",
                "apiVersion": table.META_V1,
                "metadata": {},
                "items": parts or None,
            }
        else:
            include = options.include_object.value
            document = table.make_table(kind, shown, self._clock(), include_object=include)
        return Response(200, orjson.dumps(document), items=ListItems([], "") if request.items else None)

    async def _all(self) -> Sequence[Object]:
        now = self._clock()
        problems = {name: lease_problem(self._lease(lease), now) for name, lease in _LEASES.items()}
        try:
            await self._revision()
        except StoreError as error:
            problems[STORE] = error.message
        else:
            problems[STORE] = ""
        return [_status(name, problem) for name, problem in sorted(problems.items())]


def _status(name: str, problem: str) -> Object:
    condition = {"type": "Healthy", "status": "False" if problem else "True", "message": problem or "ok"}
    return {"kind": "ComponentStatus", "apiVersion": "v1", "metadata": {"name": name}, "conditions": [condition]}


def _record(kind: Kind, obj: Object) -> Record:
    return Record("", obj["metadata"]["name"], 0, orjson.dumps(obj), kind.selectable_fields)
