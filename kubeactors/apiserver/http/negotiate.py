"""Content negotiation: which form of an answer an Accept header asks for, and how a body is encoded.

Kubernetes negotiates in two steps, and a client can tell: the router (go-restful) compares bare media types with those
that the route produces, then the serializer looks at the parameters (`as`, `g`, `v`, `pretty`). Pure functions.
See https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"

#: What Kubernetes names in its messages.
PRODUCED = f"{JSON}, {YAML}, {PROTOBUF}"
PRODUCED_BY_LISTS = f"{PRODUCED}, {JSON};stream=watch, {PROTOBUF};stream=watch"


# What comes after so many clauses is not looked at.
_MAX_CLAUSES = 256


class NotAcceptable(Exception):
    """No clause of the Accept header can be served. `routed` tells which of Kubernetes' two layers says so."""

    def __init__(self, message: str, *, routed: bool) -> None:
        super().__init__(message)
        self.routed = routed


@dataclass(frozen=True)
class Clause:
    """One clause of an Accept header. Types are compared as they are written, as Kubernetes does."""

    type: str
    parameters: dict[str, str] = field(default_factory=dict)
    quality: float = 1.0


@dataclass(frozen=True)
class MediaForm:
    """The form of an answer: its encoding, and the object that is to be made of the stored one.

    At most one of `yaml` and `protobuf`; neither is JSON.
    `kind` is None (the object itself), "Table", "PartialObjectMetadata", "PartialObjectMetadataList" or, in discovery,
    "APIGroupDiscoveryList"; `group` and `version` are those asked for.
    `pretty`: the clause itself asks for indented JSON.
    """

    yaml: bool = False
    protobuf: bool = False
    kind: str | None = None
    group: str = ""
    version: str = ""
    pretty: bool = False

    @property
    def content_type(self) -> str:
        if self.protobuf:
            return PROTOBUF
        return YAML if self.yaml else JSON


PLAIN = MediaForm()
_TRANSFORMS = frozenset({"Table", "PartialObjectMetadata", "PartialObjectMetadataList"})
_TRANSFORM_VERSIONS = frozenset({"v1", "v1beta1"})


@lru_cache(maxsize=512)
def parse_accept(header: str) -> tuple[Clause, ...]:
    """The clauses, best first: by quality, then in the order written (RFC 9110, section 12.5.1)."""
    clauses = []
    for part in header.split(",", _MAX_CLAUSES)[:_MAX_CLAUSES]:
        pieces = [piece.strip() for piece in part.split(";")]
        if not pieces[0]:
            continue
        quality, parameters = 1.0, {}
        for piece in pieces[1:]:
            key, _, value = piece.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 1.0
            else:
                parameters[key.strip().lower()] = value.strip().strip('"')
        clauses.append(Clause(pieces[0], parameters, quality))
    return tuple(sorted(clauses, key=lambda clause: (-clause.quality, clause.type == "*/*")))


@lru_cache(maxsize=512)
def negotiate(
    header: str,
    *,
    collection: bool,
    watch: bool,
    transforms: bool = True,
    tables: bool = True,
    protobuf: bool = True,
) -> MediaForm:
    """The form to answer a request for a resource in.

    `collection` is whether the URL names a list, `watch` whether a stream is wanted; `transforms` whether Table and
    PartialObjectMetadata can be made of the answer, `tables` whether Tables can; `protobuf` whether the objects can be
    written so (those of custom resources cannot). Raises `NotAcceptable`.
    """
    clauses = parse_accept(header) if header.strip() else (Clause("*/*"),)
    if not any(clause.type in (JSON, YAML, PROTOBUF, "*/*") for clause in clauses):
        produced = PRODUCED_BY_LISTS if collection else PRODUCED
        raise NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {produced}", routed=True)
    for clause in clauses:
        form = _match(clause, watch, transforms, tables, protobuf)
        if form is not None:
            return form
    produced = f"{JSON};stream=watch, {PROTOBUF};stream=watch" if watch else PRODUCED
    raise NotAcceptable(f"only the following media types are accepted: {produced}", routed=False)


def negotiate_failure(header: str) -> MediaForm:
    """The form of a Status that tells of a failure: JSON where the header asks for nothing that could be had."""
    try:
        return negotiate(header, collection=False, watch=False, transforms=False)
    except NotAcceptable:
        return PLAIN


def _match(clause: Clause, watch: bool, transforms: bool, tables: bool, protobuf: bool) -> MediaForm | None:
    if clause.type not in (JSON, YAML, PROTOBUF, "*/*", "application/*") or (watch and clause.type == YAML):
        return None
    kind = clause.parameters.get("as")
    if clause.type == PROTOBUF and (kind == "Table" or (kind is None and not protobuf)):
        return None
    pretty = clause.parameters.get("pretty") == "1"
    if kind is None:
        return MediaForm(yaml=clause.type == YAML, protobuf=clause.type == PROTOBUF, pretty=pretty)
    if kind == "Table" and not tables:
        return None
    group, version = clause.parameters.get("g", ""), clause.parameters.get("v", "")
    if not transforms or kind not in _TRANSFORMS or group != "meta.k8s.io" or version not in _TRANSFORM_VERSIONS:
        return None
    return MediaForm(clause.type == YAML, clause.type == PROTOBUF, kind, group, version, pretty)


@lru_cache(maxsize=512)
def negotiate_discovery(header: str) -> MediaForm:
    """The form of a discovery document: plain, or the aggregated `APIGroupDiscoveryList` v2. Raises `NotAcceptable`.

    v2beta1, which Kubernetes no longer serves, is passed over like any form that is not known.
    """
    clauses = parse_accept(header) if header.strip() else (Clause("*/*"),)
    if not any(clause.type in (JSON, YAML, PROTOBUF, "*/*") for clause in clauses):
        raise NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {PRODUCED}", routed=True)
    for clause in clauses:
        if clause.type not in (JSON, YAML, PROTOBUF, "*/*"):
            continue
        kind = clause.parameters.get("as")
        if kind is None:
            return MediaForm(yaml=clause.type == YAML, protobuf=clause.type == PROTOBUF)
        group, version = clause.parameters.get("g", ""), clause.parameters.get("v", "")
        if (kind, group, version) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") and clause.type == JSON:
            return MediaForm(kind=kind, group=group, version=version)
    raise NotAcceptable(f"only the following media types are accepted: {PRODUCED}", routed=False)


def wants_pretty(query: str | None, user_agent: str) -> bool:
    """Whether to indent: by the query `pretty`, else for the tools that people read answers in.

    As k8s.io/apiserver's negotiation does it: an absent or empty value leaves it to the user agent.
    """
    if query:
        return query.lower() not in ("0", "false", "f")
    return user_agent.startswith(("curl", "Wget", "Mozilla/5.0"))
