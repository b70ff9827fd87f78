"""JSON documents too long to be made in one go: to join and encrypt megabytes at once would hold up all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

#: Documents shorter than this are better made at once.
LONG = 256 * 1024
# Bytes that are joined at a time.
_PIECE = 128 * 1024


class LongDocument:
    """A list: what stands before its items, the items, and what stands after them. `size` is in bytes."""

    __slots__ = ("_head", "_items", "_tail", "size")

    def __init__(self, head: bytes, items: Sequence[bytes], tail: bytes) -> None:
        self._head = head
        self._items = items
        self._tail = tail
        self.size = len(head) + sum(map(len, items)) + max(0, len(items) - 1) + len(tail)

    def __len__(self) -> int:
        return self.size

    def pieces(self) -> Iterator[bytes]:
        """The document bit by bit; each bit is joined when it is asked for."""
        items, last = self._items, len(self._items) - 1
        if last < 0:
            yield self._head + self._tail
            return
        waiting = [self._head + items[0]]
        size = len(waiting[0])
        for index in range(1, last + 1):
            if size >= _PIECE:
                waiting.append(b"")  # for the comma behind the last one
                yield b",".join(waiting)
                waiting.clear()
                size = 0
            item = items[index]
            waiting.append(item)
            size += len(item)
        waiting[-1] += self._tail
        yield b",".join(waiting)

    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces())
