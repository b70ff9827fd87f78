"""Field selectors: `metadata.name=a,status.phase!=Running`, with the escapes of apimachinery's `fields` package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from kubeactors.api.selectors.labels import MAX_CACHED, SelectorError


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of some comparisons (field, is it equality, value). A field that an object lacks counts as empty."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object's selectable fields satisfy every term."""
        return all((fields.get(field, "") == value) is equal for field, equal, value in self.terms)

    @property
    def empty(self) -> bool:
        return not self.terms

    def required_value(self, field: str) -> str | None:
        """The value that `field` must have for a match, if the selector fixes one."""
        for name, equal, value in self.terms:
            if equal and name == field:
                return value
        return None

    def transformed(self, convert: Callable[[str, str], tuple[str, str]]) -> "FieldSelector":
        """With `convert` applied to each (field, value); it raises for fields that a kind cannot select by."""
        terms = []
        for field, equal, value in self.terms:
            new_field, new_value = convert(field, value)
            if new_field:
                terms.append((new_field, equal, new_value))
        return FieldSelector(tuple(terms))

    def __str__(self) -> str:
        return ",".join(f"{f}{'=' if equal else '!='}{escape_value(v)}" for f, equal, v in self.terms)


def parse_field_selector(text: str) -> FieldSelector:
    """Parse the fieldSelector of a query. Raises SelectorError with Kubernetes' wording."""
    # Long ones are not kept: they come from one client, and many would fill the memory.
    return _parse(text) if len(text) <= MAX_CACHED else _parse.__wrapped__(text)


@lru_cache(maxsize=4096)
def _parse(text: str) -> FieldSelector:
    terms = []
    for part in sorted(_split_terms(text)):
        if not part:
            continue
        split = _split_term(part)
        if split is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, equal, value = split
        terms.append((field, equal, _unescape(value)))
    return FieldSelector(tuple(terms))


def escape_value(value: str) -> str:
    """A value with backslash, comma and equals sign escaped."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _split_terms(text: str) -> list[str]:
    if not text:
        return []
    terms: list[str] = []
    start = 0
    escaped = False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            terms.append(text[start:index])
            start = index + 1
    terms.append(text[start:])
    return terms


def _split_term(term: str) -> tuple[str, bool, str] | None:
    for index in range(len(term)):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, index):
                return term[:index], operator != "!=", term[index + len(operator) :]
    return None


def _unescape(value: str) -> str:
    if "\\" not in value and "=" not in value:
        return value
    out: list[str] = []
    escaped = False
    for char in value:
        if escaped:
            if char not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
            out.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            out.append(char)
    if escaped:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(out)
