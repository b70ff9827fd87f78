"""The text of an expression, and what is found wrong with it, shown as the reference implementation shows it."""

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

_MAX_ISSUES = 100
_NO_POSITION = -1


class Source:
    """A text with its lines. Positions are indexes of code points."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0]
        self._starts += [index + 1 for index, char in enumerate(text) if char == "\n"]

    def location(self, position: int) -> tuple[int, int]:
        """(line from 1, column from 0)."""
        line = bisect_right(self._starts, position)
        return line, position - self._starts[line - 1]

    def line(self, number: int) -> str:
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong. `position` -1: with the expression as a whole."""

    position: int
    message: str

    def show(self, source: Source) -> str:
        if self.position == _NO_POSITION:
            return f"ERROR: <input>:-1:0: {self.message}"
        number, column = source.location(self.position)
        snippet = source.line(number).replace("\t", " ")
        marks = "".join("\uff0e" if _several_bytes(char) else "." for char in snippet[:column])
        at = snippet[column : column + 1]
        pointer = "\uff3e" if at and _several_bytes(at) else "^"
        return f"ERROR: <input>:{number}:{column + 1}: {self.message}\n | {snippet}\n | {marks}{pointer}"


def _several_bytes(char: str) -> bool:
    return ord(char) >= 0x80 and unicodedata.category(char) != "Cs"


class CompileError(Exception):
    """An expression does not compile; the text lists why, by place."""

    def __init__(self, source: Source, issues: list[Issue]) -> None:
        ordered = sorted(issues, key=lambda issue: issue.position)
        shown = [issue.show(source) for issue in ordered[:_MAX_ISSUES]]
        if len(ordered) > _MAX_ISSUES:
            shown.append(f"{len(ordered) - _MAX_ISSUES} more errors were truncated")
        super().__init__("\n".join(shown))
        self.issues = ordered

    @property
    def reason(self) -> str:
        return f"compilation failed: {self}"


class InstantiationError(CompileError):
    """An expression is sound, but holds a literal that can never be used."""

    def __init__(self, source: Source, text: str) -> None:
        super().__init__(source, [])
        self.args = (text,)

    @property
    def reason(self) -> str:
        return f"program instantiation failed: {self}"
