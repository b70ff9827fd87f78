"""Semantic versions: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-semver-library"""

import re
from dataclasses import dataclass
from typing import Final

from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.types import Type, struct
from kubeactors.api.cel.values import EvaluationError

SEMVER_TYPE: Final = struct("kubernetes.Semver")
_IDENTIFIER: Final = re.compile(r"[0-9A-Za-z-]+")
_UINT64: Final = 2**64


@dataclass(frozen=True, slots=True)
class Semver:
    """Equal when precedence is equal: what was built does not count."""

    numbers: tuple[int, int, int]
    before: tuple[tuple[bool, int, str], ...]  # of a pre-release: (is text, number, text)

    @property
    def cel_type(self) -> Type:
        return SEMVER_TYPE


def parse(text: str) -> Semver:
    """Raises EvaluationError."""
    try:
        return _parse(text)
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def _parse(text: str) -> Semver:
    if not text:
        raise ValueError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise ValueError("No Major.Minor.Patch elements found")
    major, minor = _number(parts[0], "Major"), _number(parts[1], "Minor")
    rest, _, build = parts[2].partition("+")
    patch, dash, before = rest.partition("-")
    if "+" in parts[2]:
        _identifiers(build, "Build meta data")
    identifiers = _identifiers(before, "Prerelease") if dash else []
    return Semver((major, minor, _number(patch, "Patch")), tuple(map(_identifier, identifiers)))


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f'Invalid character(s) found in {name.lower()} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise ValueError(f'{name} number must not contain leading zeroes "{text}"')
    if len(text) > 20 or int(text) >= _UINT64:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _identifiers(text: str, what: str) -> list[str]:
    found = text.split(".")
    for each in found:
        if not each:
            raise ValueError(f"{what} is empty")
        if not _IDENTIFIER.fullmatch(each):
            raise ValueError(f'Invalid character(s) found in {what.lower()} "{each}"')
    return found


def _identifier(text: str) -> tuple[bool, int, str]:
    if not text.isdigit():
        return True, 0, text
    if len(text) > 1 and text[0] == "0":
        raise ValueError(f'Numeric PreRelease version must not contain leading zeroes "{text}"')
    return False, int(text[:20]), ""


def _normalized(text: str, normalize: bool) -> Semver:
    if not normalize:
        return parse(text)
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if stripped[:1].isdigit() else f"0{stripped}"
    if len(parts) < 3:
        if re.search(r"[+-]", parts[-1]):
            raise EvaluationError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return parse(".".join(parts))


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _normalized(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(one: Semver, other: Semver) -> int:
    """A pre-release comes before its release."""
    first = (one.numbers, not one.before, one.before)
    second = (other.numbers, not other.before, other.before)
    return (first > second) - (first < second)


_KNOWN: Final = {"Semver": SEMVER_TYPE}
LIBRARY: Final = Library(
    {
        "semver": (
            overload("string_to_semver", "(string) -> Semver", parse, _KNOWN),
            overload("string_bool_to_semver", "(string, bool) -> Semver", _normalized, _KNOWN),
        ),
        "isSemver": (
            overload("is_semver_string", "(string) -> bool", _is_semver),
            overload("is_semver_string_bool", "(string, bool) -> bool", _is_semver),
        ),
        "isGreaterThan": (
            overload("semver_is_greater_than", "Semver.(Semver) -> bool", lambda a, b: _compare(a, b) > 0, _KNOWN),
        ),
        "isLessThan": (
            overload("semver_is_less_than", "Semver.(Semver) -> bool", lambda a, b: _compare(a, b) < 0, _KNOWN),
        ),
        "compareTo": (overload("semver_compare_to", "Semver.(Semver) -> int", _compare, _KNOWN),),
        "major": (overload("semver_major", "Semver.() -> int", lambda version: version.numbers[0], _KNOWN),),
        "minor": (overload("semver_minor", "Semver.() -> int", lambda version: version.numbers[1], _KNOWN),),
        "patch": (overload("semver_patch", "Semver.() -> int", lambda version: version.numbers[2], _KNOWN),),
    },
    (SEMVER_TYPE,),
)
