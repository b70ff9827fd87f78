"""Changing one function's source text while its module is imported, in this process only."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType


class Stale(Exception):
    """The source is not what it was when the fault was written: look at both, and write it anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """`old` stands exactly once in the source of `function` ("Class.method" or "function"), and becomes `new`."""

    module: str
    function: str
    old: str
    new: str


def source_of(module: str) -> tuple[str, str]:
    """(path, text), without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise Stale(f"there is no module {module} any more")
    with open(spec.origin, encoding="utf-8") as file:
        return spec.origin, file.read()


def changed(change: Change, text: str) -> str:
    """The module's source with the change. Raises Stale."""
    where = f"{change.module}: {change.function}"
    node: ast.AST = ast.parse(text)
    for name in change.function.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [child for child in ast.iter_child_nodes(node) if isinstance(child, kinds) and child.name == name]
        if len(found) != 1:
            raise Stale(f"{where} is not there any more")
        node = found[0]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.end_lineno is not None
    lines = text.splitlines(keepends=True)
    before = "".join(lines[: node.lineno - 1])
    body = "".join(lines[node.lineno - 1 : node.end_lineno])
    after = "".join(lines[node.end_lineno :])
    if body.count(change.old) != 1:
        raise Stale(f"{where} holds {body.count(change.old)} times, not once: {change.old!r}")
    return before + body.replace(change.old, change.new) + after


class _Loader(importlib.abc.Loader):
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._text, self._path, "exec"), module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, path: str, text: str) -> None:
        self._module = module
        self._path = path
        self._text = text

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=_Loader(self._path, self._text))


def plant(change: Change) -> None:
    """From now on importing the module gives it with the fault. Raises Stale."""
    if change.module in sys.modules:
        raise Stale(f"{change.module} is imported already")
    path, text = source_of(change.module)
    sys.meta_path.insert(0, _Finder(change.module, path, changed(change, text)))
