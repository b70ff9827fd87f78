"""The operations of the served kinds: what each URL and method takes and answers, independent of OpenAPI's version.

Pure functions of a kind registry. The names (operationId, x-kubernetes-action, parameters) are Kubernetes' own, since
client generators and kubectl look for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubeactors.api.kinds import Kind, Subresource
from kubeactors.apiserver.openapi.definitions import META

STATUS = META + "Status"
PATCH = META + "Patch"
DELETE_OPTIONS = META + "DeleteOptions"
WATCH_EVENT = META + "WatchEvent"
API_RESOURCE_LIST = META + "APIResourceList"

_LIST_PARAMETERS = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_PATCH_PARAMETERS = (*_WRITE_PARAMETERS, "force")
_DELETE_PARAMETERS = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_LOG_PARAMETERS = (
    "container",
    "follow",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
)

_CONNECT_METHODS = ("get", "post")
_PROXY_METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
_COMMAND_PARAMETERS = ("container", "stderr", "stdin", "stdout", "tty")
_CONNECT_PARAMETERS = {
    "attach": _COMMAND_PARAMETERS,
    "exec": ("command", *_COMMAND_PARAMETERS),
    "portforward": ("ports",),
    "proxy": ("path",),
}

#: Query parameters: OpenAPI type and description.
PARAMETERS: dict[str, tuple[str, str]] = {
    "allowWatchBookmarks": ("boolean", "Ask a watch for events of type BOOKMARK. Ignored if this is not a watch."),
    "command": ("string", "What to run: the program, and in further parameters of this name its arguments. No shell."),
    "container": ("string", "The container that is meant. Defaults to the only container of the pod."),
    "continue": ("string", "The token of a list's previous page, to read the next one. Not for watches."),
    "dryRun": ("string", "With the value All the request is processed in full, but nothing is persisted."),
    "fieldManager": ("string", "The name of the actor that makes this change: at most 128 printable characters."),
    "fieldSelector": ("string", "Restrict the list to objects with these field values. Defaults to everything."),
    "fieldValidation": (
        "string",
        "What to do about unknown and duplicate fields: Ignore drops them, Warn (the default) also answers with a "
        "warning header for each, Strict refuses the request.",
    ),
    "follow": ("boolean", "Keep the stream open and send what the container writes."),
    "force": ("boolean", "Take over conflicting fields from their managers. For apply patches only."),
    "gracePeriodSeconds": ("integer", "Seconds before the object is deleted; 0 means at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (
        "boolean",
        "Delete the object even if it cannot be read from the store, without finalizers or preconditions.",
    ),
    "labelSelector": ("string", "Restrict the list to objects with these labels. Defaults to everything."),
    "limit": ("integer", "The most objects to answer with; if there are more, metadata.continue is set."),
    "limitBytes": ("integer", "The most bytes of log to answer with."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy. Whether dependents lose their owner only."),
    "path": ("string", "The part of the URL below the proxied object."),
    "ports": ("integer", "The ports to forward. Only for WebSocket channels."),
    "pretty": ("string", "If 'true', the answer is indented."),
    "previous": ("boolean", "Read the log of the container's previous, ended instance."),
    "propagationPolicy": ("string", "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "Which version of the data the answer may or must be of."),
    "resourceVersionMatch": ("string", "How resourceVersion applies to a list: Exact or NotOlderThan."),
    "sendInitialEvents": ("boolean", "Begin a watch with the present objects and a bookmark after them."),
    "sinceSeconds": ("integer", "Read only what was written in the last so many seconds."),
    "stderr": ("boolean", "Send what the command writes to its standard error. Not with a terminal."),
    "stdin": ("boolean", "Pass input on to the command."),
    "stdout": ("boolean", "Send what the command writes to its standard output."),
    "stream": ("string", "Which stream of the log: All, Stdout or Stderr."),
    "tailLines": ("integer", "Read only so many lines from the end."),
    "timeoutSeconds": ("integer", "Seconds after which the list or watch ends, whatever happens."),
    "timestamps": ("boolean", "Begin each line with the time at which it was written (RFC 3339)."),
    "tty": ("boolean", "Give the command a terminal."),
    "watch": ("boolean", "Watch for changes and answer with a stream of events."),
}

PATH_PARAMETERS: dict[str, str] = {
    "name": "name of the object",
    "namespace": "object name and auth scope, such as for teams and projects",
    "path": "path to the resource",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. Schemas are names of definitions; an empty `answers` is text."""

    method: str
    id: str
    description: str
    action: str
    tag: str
    group: str
    version: str
    kind: str
    answers: str
    takes: str = ""
    takes_patch: bool = False
    takes_optional: bool = False
    query: tuple[str, ...] = ()
    codes: tuple[int, ...] = (200,)
    streams: bool = False
    custom: bool = False  # of a custom resource, which takes no strategic merge patches


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its parameters and operations."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...]


def list_schema(kind: Kind) -> str:
    """The definition of the kind's list."""
    if kind.custom:
        return f"{kind.schema.rpartition('.')[0]}.{kind.list_kind}"
    return f"{kind.schema}List"


def paths(kinds: Iterable[Kind]) -> Iterator[Path]:
    """Every path of the given kinds."""
    for kind in kinds:
        yield from _kind_paths(kind)


def _kind_paths(kind: Kind) -> Iterator[Path]:
    scope = ("namespace",) if kind.namespaced else ()
    collection = kind.url("{namespace}") if kind.namespaced else kind.url()
    scoped = "Namespaced" if kind.namespaced else ""
    operations = tuple(_collection_operations(kind, scoped))
    if operations:
        yield Path(collection, scope, operations)
    if kind.namespaced and "list" in kind.verbs:
        yield Path(kind.url(), (), (_list(kind, "", "ForAllNamespaces"),))
    item = f"{collection}/{{name}}"
    operations = tuple(_item_operations(kind, scoped))
    if operations:
        yield Path(item, (*scope, "name"), operations)
    for each in kind.subresources:
        if each.connects:
            yield from _connect_paths(kind, each, item, (*scope, "name"), scoped)
            continue
        operations = tuple(_subresource_operations(kind, each, scoped))
        if operations:
            yield Path(f"{item}/{each.name}", (*scope, "name"), operations)


def _connect_paths(kind: Kind, each: Subresource, item: str, scope: tuple[str, ...], scoped: str) -> Iterator[Path]:
    """A subresource that is a connection: all its methods do the same. A proxy has a second path, for what is below."""
    proxy = each.name == "proxy"
    methods = _PROXY_METHODS if proxy else _CONNECT_METHODS
    title = f"{each.name[:1].upper()}{each.name[1:]}"
    for below in ("", "{path}") if proxy else ("",):
        operations = tuple(
            _operation(
                kind,
                method,
                f"connect{_prefix(kind)}{method.title()}{scoped}{kind.kind}{title}{'WithPath' if below else ''}",
                f"connect {method.upper()} requests to {each.name} of {kind.kind}",
                "connect",
                "",
                query=_CONNECT_PARAMETERS[each.name],
                own=(kind.group, kind.version, each.kind),
            )
            for method in methods
        )
        if below:
            yield Path(f"{item}/{each.name}/{below}", (*scope, "path"), operations)
        else:
            yield Path(f"{item}/{each.name}", scope, operations)


def _list(kind: Kind, scoped: str, suffix: str = "") -> Operation:
    identifier = f"list{_prefix(kind)}{scoped}{kind.kind}{suffix}"
    description = f"list or watch objects of kind {kind.kind}"
    return _operation(
        kind, "get", identifier, description, "list", list_schema(kind), query=_LIST_PARAMETERS, streams=True
    )


def _collection_operations(kind: Kind, scoped: str) -> Iterator[Operation]:
    prefix = f"{_prefix(kind)}"
    if "list" in kind.verbs:
        yield _list(kind, scoped)
    if "create" in kind.verbs:
        yield _operation(
            kind,
            "post",
            f"create{prefix}{scoped}{kind.kind}",
            f"create {_article(kind.kind)}",
            "post",
            kind.schema,
            takes=kind.schema,
            query=_WRITE_PARAMETERS,
            codes=(200, 201, 202),
        )
    if "deletecollection" in kind.verbs:
        query = tuple(sorted({*_DELETE_PARAMETERS, *_LIST_PARAMETERS} - {"allowWatchBookmarks", "watch"}))
        yield _operation(
            kind,
            "delete",
            f"delete{prefix}Collection{scoped}{kind.kind}",
            f"delete collection of {kind.kind}",
            "deletecollection",
            STATUS,
            takes=DELETE_OPTIONS,
            takes_optional=True,
            query=query,
        )


def _item_operations(kind: Kind, scoped: str) -> Iterator[Operation]:
    if "get" in kind.verbs:
        identifier = f"read{_prefix(kind)}{scoped}{kind.kind}"
        yield _operation(kind, "get", identifier, f"read the specified {kind.kind}", "get", kind.schema)
    yield from _writes(kind, kind.verbs, f"{scoped}{kind.kind}", f"the specified {kind.kind}", kind.schema)
    if "delete" in kind.verbs:
        yield _operation(
            kind,
            "delete",
            f"delete{_prefix(kind)}{scoped}{kind.kind}",
            f"delete {_article(kind.kind)}",
            "delete",
            STATUS,
            takes=DELETE_OPTIONS,
            takes_optional=True,
            query=_DELETE_PARAMETERS,
            codes=(200, 202),
        )


def _subresource_operations(kind: Kind, subresource: Subresource, scoped: str) -> Iterator[Operation]:
    name = f"{scoped}{kind.kind}{subresource.name[:1].upper()}{subresource.name[1:]}"
    schema = subresource.schema or kind.schema
    what = f"{subresource.name} of the specified {kind.kind}"
    own = (subresource.group, subresource.version, subresource.kind) if subresource.version else None
    if "get" in subresource.verbs:
        log = subresource.name == "log"
        yield _operation(
            kind,
            "get",
            f"read{_prefix(kind)}{name}",
            f"read {what}",
            "get",
            "" if log else schema,
            query=_LOG_PARAMETERS if log else (),
            own=own,
        )
    yield from _writes(kind, subresource.verbs, name, what, schema, own=own)
    if "create" in subresource.verbs:
        yield _operation(
            kind,
            "post",
            f"create{_prefix(kind)}{name}",
            f"create {what}",
            "post",
            schema,
            takes=schema,
            query=_WRITE_PARAMETERS,
            codes=(200, 201, 202),
            own=own,
        )


def _writes(
    kind: Kind, verbs: tuple[str, ...], name: str, what: str, schema: str, own: tuple[str, str, str] | None = None
) -> Iterator[Operation]:
    if "update" in verbs:
        yield _operation(
            kind,
            "put",
            f"replace{_prefix(kind)}{name}",
            f"replace {what}",
            "put",
            schema,
            takes=schema,
            query=_WRITE_PARAMETERS,
            codes=(200, 201),
            own=own,
        )
    if "patch" in verbs:
        yield _operation(
            kind,
            "patch",
            f"patch{_prefix(kind)}{name}",
            f"partially update {what}",
            "patch",
            schema,
            takes=PATCH,
            takes_patch=True,
            query=_PATCH_PARAMETERS,
            codes=(200, 201),
            own=own,
        )


def _operation(
    kind: Kind,
    method: str,
    identifier: str,
    description: str,
    action: str,
    answers: str,
    *,
    takes: str = "",
    takes_patch: bool = False,
    takes_optional: bool = False,
    query: tuple[str, ...] = (),
    codes: tuple[int, ...] = (200,),
    streams: bool = False,
    own: tuple[str, str, str] | None = None,
) -> Operation:
    group, version, name = own or (kind.group, kind.version, kind.kind)
    return Operation(
        method=method,
        id=identifier,
        description=description,
        action=action,
        tag=f"{_spoken(kind)}_{kind.version}",
        group=group,
        version=version,
        kind=name,
        answers=answers,
        takes=takes,
        takes_patch=takes_patch,
        takes_optional=takes_optional,
        query=query,
        codes=codes,
        streams=streams,
        custom=kind.custom,
    )


def _prefix(kind: Kind) -> str:
    """`AppsV1`, `CoreV1`, `CoordinationV1`: what operation names carry after their verb."""
    group = _spoken(kind)
    return f"{group[:1].upper()}{group[1:]}{kind.version[:1].upper()}{kind.version[1:]}"


def _spoken(kind: Kind) -> str:
    """`apps`, `core`; `stableExampleCom` for a group of custom resources."""
    first, *others = kind.group.split(".")
    if not kind.custom:
        return first or "core"
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
