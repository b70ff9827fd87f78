"""Messages and records in words, for the trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubeactors.store.raft.message import Message, MessageType
from kubeactors.store.wal import record as rec
from tests.sim.logview import entry_of


def message(message: Message, name: Callable[[int], str]) -> str:
    kind = message.type
    text = f"{name(message.sender)} {kind.name} t{message.term}"
    if kind in (MessageType.APPEND, MessageType.VOTE, MessageType.PRE_VOTE):
        text += f" last {message.log_term}:{message.index}" if kind is not MessageType.APPEND else ""
    if kind is MessageType.APPEND:
        text += f" after {message.log_term}:{message.index}"
        if message.entries:
            first, last = message.entries[0], message.entries[-1]
            text += f" entries {first.term}:{first.index} to {last.term}:{last.index}"
    elif kind in (MessageType.APPEND_RESPONSE, MessageType.READ_INDEX_RESPONSE):
        text += f" index {message.index}"
    if kind in (MessageType.APPEND, MessageType.HEARTBEAT):
        text += f" commit {message.commit}"
    if message.reject:
        text += f" REJECT hint {message.log_term}:{message.hint}"
    if message.context:
        text += f" context {message.context:x}"
    if message.snapshot is not None:
        text += f" snapshot {message.snapshot.term}:{message.snapshot.index}"
    return text


def records(encoded: Sequence[bytes]) -> str:
    parts: list[str] = []
    for record in encoded:
        kind = rec.kind_of(record)
        if kind == rec.Kind.ENTRY:
            term, index, _ = entry_of(record)
            parts.append(f"{term}:{index}")
        elif kind == rec.Kind.HARD_STATE:
            state = rec.decode_hard_state(memoryview(record)[9:])
            parts.append(f"state (term {state.term}, vote {state.vote % 1000}, commit {state.commit})")
        else:
            parts.append(rec.Kind(kind).name)
    return ", ".join(parts)
