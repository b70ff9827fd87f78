"""The operations of the served kinds: what each URL and method takes and answers, independent of OpenAPI's version.

Pure functions of a kind registry. The names (operationId, x-kubernetes-action, parameters) are Kubernetes' own, since
client generators and kubectl look for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubeactors.api.kinds import Kind, Subresource
from kubeactors.apiserver.openapi import parameters
from kubeactors.apiserver.openapi.definitions import META
from kubeactors.apiserver.registry.deletion import returns_deleted

STATUS = META + "Status"
PATCH = META + "Patch"
DELETE_OPTIONS = META + "DeleteOptions"
WATCH_EVENT = META + "WatchEvent"
API_RESOURCE_LIST = META + "APIResourceList"

_OLD_WATCH = "deprecated: use the 'watch' parameter with a list operation instead"
_CONNECT_METHODS = ("get", "post")
_PROXY_METHODS = ("delete", "get", "head", "options", "patch", "post", "put")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. Schemas are names of definitions; an empty `answers` is text. A discovery document has
    no action and no kind."""

    method: str
    id: str
    description: str
    tag: str
    answers: str
    action: str = ""
    group: str = ""
    version: str = ""
    kind: str = ""
    takes: str = ""
    takes_patch: bool = False
    takes_optional: bool = False
    query: tuple[str, ...] = ()
    codes: tuple[int, ...] = (200,)
    streams: bool = False
    forms: tuple[str, ...] = ()  # content types of the answer, where they are not those of all
    custom: bool = False  # of a custom resource, which takes no strategic merge patches


@dataclass(frozen=True, slots=True)
class Path:
    """A path with its parameters and operations."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...]

    @property
    def shared(self) -> list[str]:
        """The query parameters that all its operations have: those of the path, in the documents."""
        first, *others = (operation.query for operation in self.operations)
        return [name for name in first if all(name in query for query in others)]


def list_schema(kind: Kind) -> str:
    """The definition of the kind's list."""
    if kind.custom:
        return f"{kind.schema.rpartition('.')[0]}.{kind.list_kind}"
    return f"{kind.schema}List"


def paths(kinds: Iterable[Kind]) -> Iterator[Path]:
    """Every path of the given kinds, and of the discovery documents of their versions."""
    seen: set[tuple[str, str]] = set()
    for kind in kinds:
        if not kind.custom and (kind.group, kind.version) not in seen:
            seen.add((kind.group, kind.version))
            yield _discovery_path(kind)
        yield from _kind_paths(kind)


def _discovery_path(kind: Kind) -> Path:
    """Where the version of a kind says what it serves."""
    operation = Operation(
        method="get",
        id=f"get{_prefix(kind)}APIResources",
        description="get available resources",
        tag=_tag(kind),
        answers=API_RESOURCE_LIST,
    )
    return Path(f"/apis/{kind.group}/{kind.version}/" if kind.group else f"/api/{kind.version}/", (), (operation,))


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
    if "watch" in kind.verbs and not kind.custom:
        yield from _watch_paths(kind, collection, scope, scoped)


def _watch_paths(kind: Kind, collection: str, scope: tuple[str, ...], scoped: str) -> Iterator[Path]:
    """The old paths of watches, before a watch became a parameter of a list."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"

    def watch(url: str, parameters_of_path: tuple[str, ...], name: str, *, one: bool = False) -> Path:
        what, how = "individual changes to a list", "."
        if one:
            what, how = "changes to an object", ", filtered to a single item with the 'fieldSelector' parameter."
        operation = _operation(
            kind,
            "get",
            f"watch{_prefix(kind)}{name}",
            f"watch {what} of kind {kind.kind}. {_OLD_WATCH}{how}",
            "watch" if one else "watchlist",
            WATCH_EVENT,
            query=parameters.LIST,
            streams=True,
        )
        return Path(f"{base}/watch{url.removeprefix(base)}", parameters_of_path, (operation,))

    yield watch(collection, scope, f"{scoped}{kind.kind}List")
    if kind.namespaced:
        yield watch(kind.url(), (), f"{kind.kind}ListForAllNamespaces")
    yield watch(f"{collection}/{{name}}", (*scope, "name"), f"{scoped}{kind.kind}", one=True)


def _connect_paths(kind: Kind, each: Subresource, item: str, scope: tuple[str, ...], scoped: str) -> Iterator[Path]:
    """A subresource that is a connection: all its methods do the same. A proxy has a second path, for what is below."""
    proxy = each.name == "proxy"
    methods = _PROXY_METHODS if proxy else _CONNECT_METHODS
    title = capitalized(each.name)
    for below in ("", "{path}") if proxy else ("",):
        operations = tuple(
            _operation(
                kind,
                method,
                f"connect{_prefix(kind)}{method.title()}{scoped}{kind.kind}{title}{'WithPath' if below else ''}",
                f"connect {method.upper()} requests to {each.name} of {kind.kind}",
                "connect",
                "",
                query=parameters.CONNECT[each.name],
                forms=("*/*",),
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
    description = f"list {'or watch ' if 'watch' in kind.verbs else ''}objects of kind {kind.kind}"
    return _operation(
        kind, "get", identifier, description, "list", list_schema(kind), query=parameters.LIST, streams=True
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
            f"create {_with_article(kind.kind)}",
            "post",
            kind.schema,
            takes=kind.schema,
            query=parameters.WRITE,
            codes=(200, 201, 202),
        )
    if "deletecollection" in kind.verbs:
        query = tuple({*parameters.DELETE, *parameters.LIST} - {"allowWatchBookmarks", "watch"})
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
            f"delete {_with_article(kind.kind)}",
            "delete",
            kind.schema if returns_deleted(kind) else STATUS,
            takes=DELETE_OPTIONS,
            takes_optional=True,
            query=parameters.DELETE,
            codes=(200, 202),
        )


def _subresource_operations(kind: Kind, subresource: Subresource, scoped: str) -> Iterator[Operation]:
    name = f"{scoped}{kind.kind}{capitalized(subresource.name)}"
    schema = subresource.schema or kind.schema
    what = f"{subresource.name} of the specified {kind.kind}"
    own = None
    if subresource.kind:
        own = (subresource.group or kind.group, subresource.version or kind.version, subresource.kind)
    if "get" in subresource.verbs:
        log = subresource.name == "log"
        yield _operation(
            kind,
            "get",
            f"read{_prefix(kind)}{name}",
            f"read {what}",
            "get",
            "" if log else schema,
            query=parameters.LOG if log else (),
            own=own,
        )
    yield from _writes(kind, subresource.verbs, name, what, schema, own=own)
    if "create" in subresource.verbs:
        yield _operation(
            kind,
            "post",
            f"create{_prefix(kind)}{name}",
            f"create {subresource.name} of {_with_article(kind.kind)}",
            "post",
            schema,
            takes=schema,
            query=parameters.WRITE,
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
            query=parameters.WRITE,
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
            query=parameters.PATCH,
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
    forms: tuple[str, ...] = (),
    own: tuple[str, str, str] | None = None,
) -> Operation:
    group, version, name = own or (kind.group, kind.version, kind.kind)
    always = () if action == "connect" else ("pretty",)
    return Operation(
        method=method,
        id=identifier,
        description=description,
        action=action,
        tag=_tag(kind),
        group=group,
        version=version,
        kind=name,
        answers=answers,
        takes=takes,
        takes_patch=takes_patch,
        takes_optional=takes_optional,
        query=tuple(sorted((*query, *always))),
        codes=codes,
        streams=streams,
        forms=forms,
        custom=kind.custom,
    )


def _prefix(kind: Kind) -> str:
    """`AppsV1`, `CoreV1`, `RbacAuthorizationV1`: what operation names carry after their verb."""
    group = spoken(kind)
    return f"{capitalized(group)}{capitalized(kind.version)}"


def _tag(kind: Kind) -> str:
    return f"{spoken(kind)}_{kind.version}"


def spoken(kind: Kind) -> str:
    """A group in tags and names: `apps`, `core`, `rbacAuthorization`; of custom resources, `stableExampleCom`."""
    group = kind.group if kind.custom else kind.group.removesuffix(".k8s.io")
    first, *others = group.split(".")
    return first + "".join(map(capitalized, others)) if first else "core"


def capitalized(text: str) -> str:
    """With a capital first letter; the others stay."""
    return f"{text[:1].upper()}{text[1:]}"


def _with_article(name: str) -> str:
    """`a Pod`, `an Ingress`; a plural has none."""
    if name.endswith("s") and not name.endswith("ss"):
        return name
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
