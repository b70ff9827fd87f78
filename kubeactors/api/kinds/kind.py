"""A kind is data: names, scope, subresources, schema, columns, selectable fields and a strategy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Protocol

from kubeactors.api.fielderrors import go_quote
from kubeactors.api.kinds.strategy import Strategy
from kubeactors.api.meta import Object
from kubeactors.api.schema import Decoder, Struct, decoder_for, definitions, struct
from kubeactors.api.selectors.labels import SelectorError

VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")
CONNECT_VERBS: Final = ("create", "get")
PROXY_VERBS: Final = ("create", "delete", "get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the Table output. `priority` above 0 shows in wide output only.

    `doc` names the schema field whose description the column takes: `ServiceSpec.type` of the kind's own package, or
    with the whole name of the definition.
    """

    name: str
    type: str = "string"
    description: str = ""
    priority: int = 0
    format: str = ""
    doc: str = ""


NAME_COLUMN: Final = Column("Name", format="name", doc="ObjectMeta.name")
AGE_COLUMN: Final = Column("Age", doc="ObjectMeta.creationTimestamp")


@dataclass(frozen=True, slots=True, eq=False)
class Subresource:
    """A subresource such as pods/status; `kind` and `api_version` are of the body when it is not the parent's."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""
    schema: str = ""  # definition of the body when it is not the parent's
    strategy: Strategy | None = None  # of writes that change the parent object
    connects: bool = False  # it is a connection, not an object: exec, attach, portforward, proxy


SCALE: Final = Subresource(
    "scale",
    STATUS_VERBS,
    kind="Scale",
    group="autoscaling",
    version="v1",
    schema="io.k8s.api.autoscaling.v1.Scale",
)

Cells = Callable[[Object, datetime], list[Any]]
Fields = Callable[[Object], dict[str, str]]


def no_fields(obj: Object) -> dict[str, str]:
    return {}


def no_conditions(obj: Object) -> list[dict[str, str]]:
    return []


class Conversion(Protocol):
    """Between a version that is served and the one in which its objects are stored."""

    def to_stored(self, obj: Object) -> Object:
        """The stored form of an object, which is not changed."""
        ...

    def from_stored(self, obj: Object) -> None:
        """Give a stored object, in place, the form of this version; kind and apiVersion are this version's already."""
        ...


@dataclass(frozen=True, eq=False)
class Kind:
    """Everything the API server and its clients must know about one kind."""

    group: str  # empty: the core group
    version: str
    kind: str
    plural: str
    schema: str  # name of the definition, "io.k8s.api.core.v1.Pod"
    singular: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)
    columns: tuple[Column, ...] = ()
    cells: Cells | None = None  # None: name and creation time
    row_conditions: Callable[[Object], list[dict[str, str]]] = no_conditions
    field_labels: tuple[str, ...] = ()  # selectable besides metadata.name and metadata.namespace
    field_values: Fields = no_fields
    field_aliases: Mapping[str, str] = field(default_factory=dict)
    legacy_field_errors: bool = False  # core kinds word an unsupported field in their own way
    stored: bool = True  # False: answered and never kept, as reviews are
    unknown_field: str = ""  # and some kinds in yet another; {} stands for the quoted field
    create_on_update: bool = False  # PUT of a missing object creates it
    unconditional_update: bool = True  # PUT without resourceVersion is taken
    deprecation: str = ""  # a Warning header of every request
    # Annotations that stand for a field of Kubernetes' own form: objects have them, PartialObjectMetadata has not.
    field_annotations: frozenset[str] = frozenset()
    storage_path: str = ""  # below /registry; empty: the plural
    conversion: Conversion | None = None  # where the stored form is another one, as that of a kind of the same path
    text_member: str = ""  # kept as the text that it was sent as (`kubeactors.api.raw_extension`)
    list_kind: str = ""  # empty: the kind with "List" behind it
    custom: bool = False  # made of a CustomResourceDefinition (see CustomKind)

    def __post_init__(self) -> None:
        if not self.singular:
            object.__setattr__(self, "singular", self.kind.lower())
        if not self.list_kind:
            object.__setattr__(self, "list_kind", f"{self.kind}List")
        if not self.custom:
            definitions.expect(self.schema)
        for subresource in self.subresources:
            if subresource.schema:
                definitions.expect(subresource.schema)

    @cached_property
    def api_version(self) -> str:
        """`v1`, `apps/v1`: what objects carry in apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def decoder(self) -> Decoder:
        """Checks and normalises parsed objects of this kind."""
        return decoder_for(self.schema)

    @cached_property
    def object_type(self) -> Struct:
        """The type of its objects, for patches and server-side apply."""
        return struct(self.schema)

    @cached_property
    def qualified_resource(self) -> str:
        """`deployments.apps`: what error messages call the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @cached_property
    def qualified_kind(self) -> str:
        """`Deployment.apps`: what Invalid errors call the kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def storage_version(self) -> str:
        """The version in which objects are stored."""
        return self.version

    @cached_property
    def storage_prefix(self) -> str:
        """Kubernetes' own key prefix, `/registry/pods/`; namespace and name follow."""
        return f"/registry/{self.storage_path or self.plural}/"

    def storage_key(self, namespace: str, name: str) -> str:
        if self.namespaced:
            return f"{self.storage_prefix}{namespace}/{name}"
        return f"{self.storage_prefix}{name}"

    def url(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The REST path of the collection (no name), an object or a subresource."""
        parts = ["/apis/" + self.group if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [p for p in (name, subresource) if p]
        return "/".join(parts)

    def subresource(self, name: str) -> Subresource | None:
        return next((s for s in self.subresources if s.name == name), None)

    def strategy_for(self, subresource: str = "") -> Strategy | None:
        """The strategy of writes to the object (empty name) or a subresource; None when there is none."""
        if not subresource:
            return self.strategy
        found = self.subresource(subresource)
        return found.strategy if found else None

    def selectable_fields(self, obj: Object) -> dict[str, str]:
        """What field selectors see of an object: every supported field with its value as text."""
        meta = obj.get("metadata") or {}
        fields = {"metadata.name": meta.get("name") or ""}
        if self.namespaced:
            fields["metadata.namespace"] = meta.get("namespace") or ""
        fields.update(self.field_values(obj))
        return fields

    def convert_field(self, label: str, value: str) -> tuple[str, str]:
        """For FieldSelector.transformed: checks that this kind can be selected by `label`. Raises SelectorError."""
        if label in self.field_aliases:
            return self.field_aliases[label], value
        if label in ("metadata.name", "metadata.namespace") or label in self.field_labels:
            return label, value
        if self.unknown_field:
            raise SelectorError(self.unknown_field.format(go_quote(label)))
        if self.legacy_field_errors:
            raise SelectorError(f"field label not supported: {label}")
        known = ", ".join(f'"{f}"' for f in ("metadata.name", "metadata.namespace", *self.field_labels))
        raise SelectorError(f'"{label}" is not a known field selector: only {known}')

    def __repr__(self) -> str:
        return f"Kind({self.api_version} {self.kind})"
