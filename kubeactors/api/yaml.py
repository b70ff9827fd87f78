"""YAML bodies as Kubernetes reads them: YAML 1.1 (`y`, `no` and `on` are booleans), one document, JSON's data model."""

import re
from typing import Any, Final

import yaml as pyyaml

_Loader: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)
_BOOLEAN: Final = re.compile(
    r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"
)
_REPLACED_TAGS: Final = frozenset(f"tag:yaml.org,2002:{t}" for t in ("bool", "timestamp", "value"))
_TRUE: Final = frozenset({"y", "yes", "true", "on"})


class YamlError(ValueError):
    """Text that is no YAML, or has no JSON form."""


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
            if key in made:
                self.repeated.append(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            made[key] = self.construct_object(value_node, deep=True)
        return made


def load(body: bytes) -> tuple[Any, list[str]]:
    """The document as JSON data, and a text for each repeated key. Raises YamlError."""
    loader = None
    try:
        loader = _KubernetesLoader(body)
        return loader.get_single_data(), loader.repeated
    except (pyyaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def dump(obj: Any) -> bytes:
    """JSON data as YAML, keys in order of the alphabet as Kubernetes writes them."""
    text: bytes = pyyaml.dump(
        obj,
        Dumper=getattr(pyyaml, "CSafeDumper", pyyaml.SafeDumper),
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


def _construct_float(loader: Any, node: Any) -> float:
    value = float(pyyaml.constructor.SafeConstructor.construct_yaml_float(loader, node))
    if value != value or value in (float("inf"), float("-inf")):
        raise YamlError("a number has no JSON form")
    return value


def _text(loader: Any, node: Any) -> str:
    text: str = loader.construct_scalar(node)
    return text


_KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED_TAGS]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_KubernetesLoader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("yYnNtTfFoO"))
_KubernetesLoader.add_constructor("tag:yaml.org,2002:bool", _construct_boolean)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:map", _construct_map)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:timestamp", _text)
_KubernetesLoader.add_constructor("tag:yaml.org,2002:binary", _text)
