"""Regular expressions: matches of the language, find and findAll of Kubernetes. RE2, so no pattern takes long."""

from typing import Any, Final

from kubeactors.api import regular_expressions
from kubeactors.api.cel.declarations import Library, overload
from kubeactors.api.cel.values import EvaluationError


def compiled(pattern: str) -> Any:
    """Raises EvaluationError."""
    try:
        return regular_expressions.compiled(pattern)
    except regular_expressions.PatternError as error:
        raise EvaluationError(str(error)) from None


def matches(text: str, pattern: str) -> bool:
    return compiled(pattern).search(text) is not None


def _find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    return found.group() if found is not None else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in compiled(pattern).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found


LIBRARY: Final = Library(
    {
        "find": (overload("string_find_string", "string.(string) -> string", _find),),
        "findAll": (
            overload("string_find_all_string", "string.(string) -> list(string)", _find_all),
            overload("string_find_all_string_int", "string.(string, int) -> list(string)", _find_all),
        ),
    }
)
