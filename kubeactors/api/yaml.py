"""YAML bodies as Kubernetes reads them: YAML 1.1 (`y`, `no` and `on` are booleans), one document, JSON's data model.

Numbers are those of the Go library that Kubernetes uses: `12:30` is text, `1e3` a number. Nesting and what aliases
expand to are bounded.
"""

import re
from typing import Any, Final

import orjson
import yaml as pyyaml

MAX_DEPTH: Final = 250
MAX_REPEATED: Final = 100  # keys that are told of
MAX_ALIASED: Final = 100_000  # nodes that all aliases of a document stand for
_Loader: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)
_BOOLEAN: Final = re.compile(
    r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"
)
_INTEGER: Final = re.compile(r"^[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT: Final = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_REPLACED_TAGS: Final = frozenset(f"tag:yaml.org,2002:{t}" for t in ("bool", "int", "float", "timestamp", "value"))
_JSON_TAGS: Final = frozenset(f"tag:yaml.org,2002:{t}" for t in ("null", "str", "seq"))
_TRUE: Final = frozenset({"y", "yes", "true", "on"})


class YamlError(ValueError):
    """Text that is no YAML, or has no JSON form."""


class _KubernetesDumper(getattr(pyyaml, "CSafeDumper", pyyaml.SafeDumper)):  # type: ignore[misc]
    """Writes text in quotes wherever this loader or PyYAML's own would take it for something else."""


class _KubernetesLoader(_Loader):  # type: ignore[misc]
    """Reads a document to JSON data and notes repeated keys."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.repeated: list[str] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        self.flatten_mapping(node)
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(self.construct_object(key_node, deep=True))
            if key in made and len(self.repeated) < MAX_REPEATED:
                self.repeated.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            made[key] = self.construct_object(value_node, deep=True)
        return made


def load(body: bytes) -> tuple[Any, list[str]]:
    """The document as JSON data, and a text for each repeated key. Raises YamlError."""
    loader = None
    try:
        aliased = _measure(body)
        loader = _KubernetesLoader(body)
        value = loader.get_single_data()
        # What an alias stands for is one value in several places; who changes one place must not change the others.
        return orjson.loads(orjson.dumps(value)) if aliased else value, loader.repeated
    except (pyyaml.YAMLError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise YamlError(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def _measure(body: bytes) -> bool:
    """Whether the document has aliases. Raises YamlError for what is nested too deeply or expands to too much.

    The parser itself recurses in C, so this must come first; events come without recursion.
    """
    sizes: dict[str | None, int] = {}  # of anchored nodes, in nodes
    parents: list[tuple[str | None, int]] = []
    nodes = aliased = 0
    for event in pyyaml.parse(body, Loader=_Loader):
        if isinstance(event, pyyaml.AliasEvent):
            size = sizes.get(event.anchor)
            if size is None:
                raise YamlError(f"the anchor {event.anchor!r} is not defined before it is used")
            nodes += size
            aliased += size
            if aliased > MAX_ALIASED:
                raise YamlError("document contains excessive aliasing")
        elif isinstance(event, pyyaml.CollectionStartEvent):
            if len(parents) >= MAX_DEPTH:
                raise YamlError(f"the document is nested more than {MAX_DEPTH} levels deep")
            parents.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, pyyaml.CollectionEndEvent):
            anchor, before = parents.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        elif isinstance(event, pyyaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
    return aliased > 0


def dump(obj: Any) -> bytes:
    """JSON data as YAML, keys in order of the alphabet as Kubernetes writes them."""
    text: bytes = pyyaml.dump(
        obj,
        Dumper=_KubernetesDumper,
        default_flow_style=False,
        allow_unicode=True,
        encoding="utf-8",
        width=2**20,
    )
    return text


def _key(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise YamlError(f"a key is no string: {value!r}")


def _construct_boolean(loader: Any, node: Any) -> bool:
    return loader.construct_scalar(node).lower() in _TRUE


def _construct_map(loader: Any, node: Any) -> dict[str, Any]:
    made: dict[str, Any] = loader.construct_mapping(node, deep=True)
    return made


def _construct_integer(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node).replace("_", "").lower()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    prefix = digits[:2]
    if prefix in ("0x", "0o", "0b"):
        value = sign * int(digits[2:], {"0x": 16, "0o": 8, "0b": 2}[prefix])
    else:
        value = sign * int(digits, 8 if digits.startswith("0") else 10)
    return value if -(2**63) <= value < 2**64 else float(value)


def _construct_float(loader: Any, node: Any) -> int | float | str:
    text: str = loader.construct_scalar(node)
    value = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if value != value or value in (float("inf"), float("-inf")):
        if text[-1].isdigit():
            return text  # beyond the range of numbers: text, as for Kubernetes
        raise YamlError("a number has no JSON form")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _text(loader: Any, node: Any) -> str:
    text: str = loader.construct_scalar(node)
    return text


_KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED_TAGS]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_KubernetesLoader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("yYnNtTfFoO"))
_KubernetesLoader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_KubernetesLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_KubernetesDumper.yaml_implicit_resolvers = {
    first: [
        *_KubernetesLoader.yaml_implicit_resolvers.get(first, ()),
        *_Loader.yaml_implicit_resolvers.get(first, ()),
    ]
    for first in _KubernetesLoader.yaml_implicit_resolvers.keys() | _Loader.yaml_implicit_resolvers.keys()
}
# Sets, pairs and ordered maps have no JSON form.
_KubernetesLoader.yaml_constructors = {
    tag: constructor for tag, constructor in _Loader.yaml_constructors.items() if tag in _JSON_TAGS or tag is None
}
_KubernetesLoader.add_constructor("tag:yaml.org,2002:int", _construct_integer)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:bool", _construct_boolean)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:binary", _text)
