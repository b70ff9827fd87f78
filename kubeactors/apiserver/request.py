"""What the fronts (HTTPS, gRPC) and the handlers say to each other, free of any transport.

A front authenticates, builds a `Request`, awaits `ApiHandler.handle` and sends the `Response`. A failure is a
`kubeactors.api.errors.StatusError`, which the front encodes. JSON is the only encoding that crosses this line: a front
that was asked for YAML or pretty output re-encodes the body.

A watch does not travel as an iterator. The watch cache encodes an event once per (form, encoding), frames a batch of
events once, and hands the *same* bytes object to every watcher that asked for the same thing, by a plain call on the
event loop: a batch costs a watcher one write to its transport, with no queue, task switch or copy between.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from kubeactors.api.kinds import Kind
    from kubeactors.apiserver.long_document import LongDocument
    from kubeactors.apiserver.streams.connector import Connector

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asks, as authentication found it (authentication.k8s.io/v1 UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


ANONYMOUS = UserInfo("system:anonymous", ("system:unauthenticated",))


class Form(enum.Enum):
    """The shape in which objects are answered (content negotiation's `as=`)."""

    OBJECT = "object"
    PARTIAL = "PartialObjectMetadata"
    TABLE = "Table"


class IncludeObject(enum.Enum):
    """What each row of a Table carries of its object (query parameter `includeObject`)."""

    NONE = "None"
    METADATA = "Metadata"
    OBJECT = "Object"


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Query parameters of `pods/log`; times are RFC 3339."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None
    stream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a request, as ListOptions, CreateOptions … and DeleteOptions of meta/v1 name them.

    Empty strings and None mean: not given. `kubeactors.apiserver.options.parse_query` builds it from a URL's query.
    """

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_: str = ""
    timeout_seconds: int | None = None
    allow_watch_bookmarks: bool = False
    send_initial_events: bool | None = None
    dry_run: tuple[str, ...] = ()
    field_manager: str = ""
    field_validation: str = ""
    force: bool | None = None
    grace_period_seconds: int | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str = ""
    ignore_store_read_error: bool | None = None
    include_object: IncludeObject = IncludeObject.METADATA
    log: LogOptions | None = None


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What a subresource that connects (exec, attach, portforward, proxy) is asked for.

    `query` are the URL's decoded parameters; `path` is what follows the subresource in the URL, without the slash.
    """

    query: Sequence[tuple[str, str]] = ()
    path: str = ""


def _join(events: Sequence[bytes]) -> bytes:
    return b"".join(events)


@dataclass(frozen=True, slots=True)
class WatchEncoding:
    """How a front writes watch events. Both functions must be pure: their results are kept and shared by all watchers
    with the same encoding, of which `name` is the identity.

    `encode(type, object)` gives one event; type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR, and object is the JSON
    document with kind and apiVersion. `frame(events)` puts encoded events together to what is written at once: an
    HTTP/1.1 front adds a chunk's length there, a gRPC front makes one message.
    """

    name: str
    encode: Callable[[str, bytes], bytes]
    frame: Callable[[Sequence[bytes]], bytes] = _join


def _json_line(type_: str, object_: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), object_)


JSON_LINES = WatchEncoding("json-lines", _json_line)


@dataclass(slots=True, kw_only=True)
class Request:
    """One call after authentication. Never changed once built (not frozen, because building a frozen one is slow).

    verb "get" with `watch=true` on one object is a plain get; "list" with `watch=true` is "watch".
    `name` is empty for list, watch, deletecollection and create (a create of a subresource names its parent).
    `body` is undecoded; `content_type` is the media type without parameters, for a patch the kind of patch.
    `items` asks a list for separate items with kind and apiVersion (gRPC) instead of one document.
    """

    verb: Verb
    kind: Kind
    user: UserInfo
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: Options = NO_OPTIONS
    body: bytes = b""
    content_type: str = JSON
    form: Form = Form.OBJECT
    items: bool = False
    watch_encoding: WatchEncoding = JSON_LINES
    user_agent: str = ""
    connect: ConnectOptions | None = None


class WatchSink(Protocol):
    """The front's end of a watch. Both methods are called on the event loop's thread."""

    def deliver(self, frame: bytes) -> bool:
        """Take a frame of events (shared bytes: do not keep views into it); write it to the transport without waiting.
        False means that this client is gone or too slow (its backlog is over the front's bound): the watch ends at
        once and nothing more is delivered."""
        ...

    async def drain(self) -> None:
        """Return when the transport has room again. Awaited between the batches of the initial events only."""
        ...


class WatchStream(Protocol):
    """A watch that is set up (its version was checked), but sends nothing before it is run."""

    async def run(self, sink: WatchSink) -> None:
        """Deliver to the sink until the watch ends: by its timeout, by an ERROR event (delivered like any other),
        because the sink returned False, or by cancellation of this call. Returning means: end the response cleanly
        (but the front closes the connection of a sink that returned False). Never raises StatusError."""
        ...


@dataclass(slots=True)
class ListItems:
    """A list for programs: each item is a whole JSON document with kind and apiVersion."""

    items: list[bytes]
    resource_version: str
    continue_: str = ""
    remaining_item_count: int | None = None


@dataclass(slots=True)
class Response:
    """What a handler answers: exactly one of a JSON `body`, a `document` (a list that is long), `items`, a `watch`, a
    `stream` of bytes (logs), or what serves the client's connection itself (`connect`). A Table for a client that asked
    for items has two: a list without items, and the Table as its body or document."""

    status: int = 200
    body: bytes = b""
    document: LongDocument | None = None
    items: ListItems | None = None
    watch: WatchStream | None = None
    stream: AsyncIterator[bytes] | None = None
    connect: Connector | None = None
    content_type: str = JSON
    warnings: Sequence[str] = ()

    def whole(self) -> bytes:
        """The JSON that is answered, however long."""
        return self.body if self.document is None else self.document.whole()


class ApiHandler(Protocol):
    """The whole chain after authentication: authorize, admit, default, validate, store."""

    async def handle(self, request: Request) -> Response:
        """Raises kubeactors.api.errors.StatusError for every answer that is a failure."""
        ...
