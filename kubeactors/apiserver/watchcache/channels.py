"""Fan-out: watchers that ask for the same thing share a channel, which encodes and frames for all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from kubeactors.apiserver.request import WatchEncoding
from kubeactors.apiserver.watchcache.matcher import Matcher
from kubeactors.apiserver.watchcache.record import Change

# Renders the object of an event: (change, whether it is a deletion for this watcher) → JSON document.
Render = Callable[[Change, bool], bytes]


@dataclass(frozen=True, slots=True)
class View:
    """What a watcher sees of an object. `key` is the identity of `render`: equal keys render equal bytes."""

    key: object
    render: Render = field(compare=False)
    encoding: WatchEncoding = field(compare=False)


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """Watchers with equal keys get the same frames. `after`: a version to come, before which nothing is sent."""

    matcher: Matcher
    view: object
    encoding: str
    after: int = 0


class FrameReceiver(Protocol):
    """A watcher, as its channel sees it."""

    def receive(self, frame: bytes) -> bool:
        """False: it is gone."""
        ...

    def send_bookmark(self) -> None: ...

    def end(self) -> None: ...


class Channel:
    """One stream of frames."""

    def __init__(self, key: ChannelKey, view: View) -> None:
        self.key = key
        self.view = view
        self.receivers: dict[FrameReceiver, None] = {}
        self.pending: list[bytes] = []
        self._selects = key.matcher.selects

    def event(self, change: Change) -> bytes | None:
        """The change as this channel's watchers see it: an event, or nothing.

        An object that comes into the selection was ADDED, one that leaves it was DELETED, with the state it last had
        inside. The scope (namespace, name) has been looked at already.
        """
        before = change.previous is not None
        now = change.record is not None
        if self._selects:
            matcher = self.key.matcher
            before = change.previous is not None and matcher.selected(change.previous)
            now = change.record is not None and matcher.selected(change.record)
        if now:
            type_ = "MODIFIED" if before else "ADDED"
        elif before:
            type_ = "DELETED"
        else:
            return None
        return self.encode(type_, change)

    def encode(self, type_: str, change: Change) -> bytes:
        view = self.view
        deleted = type_ == "DELETED"
        return change.encoded(
            (view.key, view.encoding.name, type_),
            lambda: view.encoding.encode(type_, view.render(change, deleted)),
        )

    def flush(self) -> None:
        """Send what is pending, framed once, to every watcher."""
        if not self.pending:
            return
        frame = self.view.encoding.frame(self.pending)
        self.pending = []
        self.send(frame)

    def send(self, frame: bytes) -> None:
        gone = [receiver for receiver in self.receivers if not receiver.receive(frame)]
        for receiver in gone:
            self.receivers.pop(receiver, None)


class Channels:
    """The channels of one resource, found by where a change happened, so that a change costs only those it may concern.

    `indexed_field` is a field that many watchers select by one value (spec.nodeName: every node watches its pods).
    """

    def __init__(self, indexed_field: str = "") -> None:
        self._indexed_field = indexed_field
        self._by_key: dict[ChannelKey, Channel] = {}
        # Scope → its channels. Scopes: "" (everything), ("ns", …), ("name", …), ("field", …).
        self._by_scope: dict[object, list[Channel]] = {}
        self._touched: dict[Channel, None] = {}
        #: Events that were sent, each counted for every watcher; watchers that were closed because they lagged.
        self.sent = 0
        self.terminated = 0

    def __len__(self) -> int:
        return sum(len(channel.receivers) for channel in self._by_key.values())

    def join(self, key: ChannelKey, view: View, receiver: FrameReceiver) -> Channel:
        """Let the receiver have every change from now on."""
        channel = self._by_key.get(key)
        if channel is None:
            channel = self._by_key[key] = Channel(key, view)
            self._by_scope.setdefault(self._scope(key.matcher), []).append(channel)
        channel.receivers[receiver] = None
        return channel

    def leave(self, channel: Channel, receiver: FrameReceiver) -> None:
        channel.receivers.pop(receiver, None)
        if not channel.receivers and self._by_key.get(channel.key) is channel:
            del self._by_key[channel.key]
            scope = self._scope(channel.key.matcher)
            channels = self._by_scope[scope]
            channels.remove(channel)
            if not channels:
                del self._by_scope[scope]

    def _scope(self, matcher: Matcher) -> object:
        if matcher.name:
            return ("name", matcher.namespace, matcher.name)
        if self._indexed_field and not matcher.fields.empty:
            value = matcher.fields.required_value(self._indexed_field)
            if value:
                return ("field", value, matcher.namespace)
        return ("ns", matcher.namespace) if matcher.namespace else ""

    def offer(self, change: Change) -> None:
        """Put a change before the channels that it may concern."""
        scopes = self._by_scope
        if not scopes:
            return
        found = scopes.get("")
        if found is not None:
            self._offer_to(found, change)
        if len(scopes) == 1 and found is not None:
            return
        for scope in self._scopes_of(change):
            found = scopes.get(scope)
            if found is not None:
                self._offer_to(found, change)

    def _scopes_of(self, change: Change) -> list[object]:
        """Every narrower scope that a change lies in."""
        subject = change.subject
        namespace, name = subject.namespace, subject.name
        scopes: list[object] = [("name", "", name)]
        if namespace:
            scopes += [("ns", namespace), ("name", namespace, name)]
        if self._indexed_field:
            values = {
                record.field(self._indexed_field) for record in (change.record, change.previous) if record is not None
            }
            for value in values:
                scopes.append(("field", value, ""))
                if namespace:
                    scopes.append(("field", value, namespace))
        return scopes

    def _offer_to(self, channels: list[Channel], change: Change) -> None:
        for channel in channels:
            if change.revision <= channel.key.after:
                continue
            event = channel.event(change)
            if event is not None:
                channel.pending.append(event)
                self._touched[channel] = None

    def flush(self) -> None:
        """Send what the offered changes came to."""
        if not self._touched:
            return
        touched, self._touched = self._touched, {}
        for channel in touched:
            self.sent += len(channel.pending) * len(channel.receivers)
            channel.flush()

    def each(self) -> list[Channel]:
        return list(self._by_key.values())
