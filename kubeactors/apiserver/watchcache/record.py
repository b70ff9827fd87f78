"""One object in the watch cache, and one change of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import orjson

from kubeactors.api.meta import Object
from kubeactors.api.row_template import RowTemplate
from kubeactors.apiserver.storage.encoding import with_revision

logger = logging.getLogger(__name__)

FieldsOf = Callable[[Object], Mapping[str, str]]


class Record:
    """An object's item bytes with what selectors ask about; decoded at most once, when a selector first asks.

    Records are never changed: a new state of the object is a new record, so whoever holds one holds a snapshot.
    """

    __slots__ = ("_fields", "_fields_of", "_labels", "item", "metadata_end", "name", "namespace", "revision", "row")

    def __init__(self, namespace: str, name: str, revision: int, item: bytes, fields_of: FieldsOf) -> None:
        self.namespace = namespace
        self.name = name
        self.revision = revision
        self.item = item
        self._fields_of = fields_of
        #: Where the metadata ends in `item` and the row of a Table: kept by who works them out.
        self.metadata_end = 0
        self.row: RowTemplate | None = None
        self._labels: Mapping[str, str] | None = None
        self._fields: Mapping[str, str] | None = None

    def _index(self) -> None:
        try:
            obj: Object = orjson.loads(self.item)
            self._labels = obj["metadata"].get("labels") or {}
            self._fields = self._fields_of(obj)
        except (ValueError, TypeError, AttributeError, KeyError):
            # Not written by an API server. It must not stop the feed of everything else.
            logger.error("%s/%s at revision %d is not an object", self.namespace, self.name, self.revision)
            self._labels, self._fields = {}, {}

    @property
    def labels(self) -> Mapping[str, str]:
        if self._labels is None:
            self._index()
            assert self._labels is not None
        return self._labels

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields that the kind may be selected by."""
        if self._fields is None:
            self._index()
            assert self._fields is not None
        return self._fields

    def field(self, path: str) -> str:
        """One of `fields`, whose path ends with its name in JSON. An object in whose text that does not stand has none,
        and is not decoded for it."""
        if self._fields is None and b'"%b"' % path.rpartition(".")[2].encode() not in self.item:
            return ""
        return self.fields.get(path, "")

    def decode(self) -> Object:
        """A fresh dictionary of the object, without kind and apiVersion."""
        obj: Object = orjson.loads(self.item)
        return obj


class Change:
    """A change at one revision: `record` is the new state (None: deleted), `previous` the state before (None: created).

    Encodings are kept with the change, so that each is made once for all watchers.
    """

    __slots__ = ("_encoded", "previous", "record", "revision")

    def __init__(self, revision: int, record: Record | None, previous: Record | None) -> None:
        self.revision = revision
        self.record = record
        self.previous = previous
        self._encoded: dict[object, bytes] = {}

    @property
    def subject(self) -> Record:
        """The newest state there is: the record, or what was deleted."""
        record = self.record or self.previous
        assert record is not None
        return record

    def item(self, deleted: bool) -> bytes:
        """The item bytes that an event carries: the new state, or the last one under the deletion's version.

        `deleted` is also set when the object left a selector: then the event carries the state before.
        """
        if not deleted:
            assert self.record is not None
            return self.record.item
        assert self.previous is not None
        return with_revision(self.previous.item, self.revision)

    def encoded(self, key: object, make: Callable[[], bytes]) -> bytes:
        """What `make` gives, made once per key."""
        found = self._encoded.get(key)
        if found is None:
            found = self._encoded[key] = make()
        return found
