"""Which objects a list or watch is about: a scope, a label selector and a field selector, resolved once per request."""

from __future__ import annotations

from dataclasses import dataclass

from kubeactors.api.selectors import EVERYTHING, FieldSelector, LabelSelector
from kubeactors.apiserver.watchcache.record import Record

NO_FIELDS = FieldSelector()


@dataclass(frozen=True, slots=True)
class Matcher:
    """`namespace` and `name` empty: any. `fields` holds what is left of the field selector besides those two."""

    namespace: str = ""
    name: str = ""
    labels: LabelSelector = EVERYTHING
    fields: FieldSelector = NO_FIELDS

    @property
    def selects(self) -> bool:
        """Whether it looks at more than name and namespace."""
        return not (self.labels.empty and self.fields.empty)

    def matches(self, record: Record) -> bool:
        return (
            (not self.namespace or record.namespace == self.namespace)
            and (not self.name or record.name == self.name)
            and self.selected(record)
        )

    def selected(self, record: Record) -> bool:
        """`matches` for a record that is known to be in scope."""
        return (self.labels.empty or self.labels.matches(record.labels)) and (
            self.fields.empty or self.fields.matches(record.fields)
        )


def make_matcher(namespace: str, labels: LabelSelector, fields: FieldSelector) -> Matcher:
    """Take name and namespace out of a field selector where it fixes them, so that indexes can be used.

    A selector that contradicts the request's namespace keeps its term, and matches nothing.
    """
    name = ""
    rest = []
    for term in fields.terms:
        field, equal, value = term
        if equal and value and field == "metadata.name" and name in ("", value):
            name = value
        elif equal and value and field == "metadata.namespace" and namespace in ("", value):
            namespace = value
        else:
            rest.append(term)
    return Matcher(namespace, name, labels, FieldSelector(tuple(rest)) if rest else NO_FIELDS)
