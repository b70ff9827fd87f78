"""Objects by the served schemas: such as could be meant, then bent, and at last broken as bytes."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.fuzz import hostile
from tests.fuzz.choices import Choices
from tests.fuzz.documents import Documents

#: Levels below which only what is required is filled in.
_DEEP: Final = 7
_MARK: Final = "\ue000mark\ue000"


class Bodies:
    """Makes objects of the schemas of a server."""

    def __init__(self, documents: Documents, choose: Choices) -> None:
        self._documents = documents
        self._choose = choose

    def of(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """A value of a schema's type; what cannot be said in a schema may be wrong with it."""
        schema = self._documents.resolve(schema)
        choose = self._choose
        if schema.get("enum"):
            return choose.one(schema["enum"])
        formed = schema.get("format")
        if formed == "int-or-string" or "oneOf" in schema:
            return choose.one(hostile.INTEGERS) if choose.chance(50) else hostile.text(choose)
        match schema.get("type"):
            case "object" | None if schema.get("properties"):
                return self._object(schema, depth)
            case "object" if "additionalProperties" in schema:
                of = schema["additionalProperties"]
                if not isinstance(of, dict) or depth > _DEEP:
                    return {}
                return {hostile.text(choose): self.of(of, depth + 1) for _ in range(choose.below(3))}
            case "array":
                if depth > _DEEP:
                    return []
                return [self.of(schema["items"], depth + 1) for _ in range(choose.below(3))]
            case "string":
                return hostile.text(choose)
            case "integer":
                return choose.one(hostile.INTEGERS)
            case "number":
                return choose.one((1, 0.5, -1, 1e9))
            case "boolean":
                return choose.chance(50)
        return hostile.value(choose)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        choose = self._choose
        required = set(schema.get("required", ()))
        properties = schema["properties"]
        made = {name: self.of(properties[name], depth + 1) for name in sorted(required) if name in properties}
        optional = sorted(properties.keys() - required)
        if optional and depth <= _DEEP:
            for _ in range(choose.below(4 if depth else 3)):
                name = choose.one(optional)
                made[name] = self.of(properties[name], depth + 1)
        return made

    def bend(self, value: Any, schema: dict[str, Any] | None, times: int) -> Any:
        """The same value with some of its parts changed, added or left out. The value itself is not touched."""
        made = json.loads(json.dumps(value))
        for _ in range(times):
            made = self._bent(made, schema)
        return made

    def _bent(self, value: Any, schema: dict[str, Any] | None) -> Any:
        choose = self._choose
        schema = self._documents.resolve(schema) if schema else None
        if isinstance(value, dict) and not choose.chance(12):
            properties = (schema or {}).get("properties") or {}
            how = choose.below(5)
            if value and how < 2:
                name = choose.one(sorted(value))
                value[name] = self._bent(value[name], self._member(schema, name))
            elif how == 2 and properties:
                name = choose.one(sorted(properties))
                value[name] = self.of(properties[name], 3)
            elif value and how == 3:
                del value[choose.one(sorted(value))]
            else:
                value[hostile.text(choose)] = hostile.value(choose)
            return value
        if isinstance(value, list) and value and not choose.chance(12):
            index = choose.below(len(value))
            how = choose.below(4)
            if how < 2:
                value[index] = self._bent(value[index], (schema or {}).get("items"))
            elif how == 2:
                value.append(json.loads(json.dumps(value[index])))
            elif (schema or {}).get("items"):
                value.append(self.of(schema["items"], 3))  # type: ignore[index]
            return value
        if schema is not None and choose.chance(50):
            return self.of(schema, 3)
        return hostile.value(choose)

    def _member(self, schema: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
        if schema is None:
            return None
        found = (schema.get("properties") or {}).get(name)
        if found is None and isinstance(schema.get("additionalProperties"), dict):
            found = schema["additionalProperties"]
        return found if isinstance(found, dict) else None

    def broken(self, value: Any) -> bytes:
        """A JSON text of the value in which one place holds what no encoder would have written there."""
        choose = self._choose
        made = json.loads(json.dumps(value))
        parent: Any = None
        key: Any = None
        found = made
        while isinstance(found, dict | list) and found and (parent is None or choose.chance(80)):
            parent = found
            key = choose.one(sorted(found)) if isinstance(found, dict) else choose.below(len(found))
            found = parent[key]
        if parent is None:
            return choose.one(hostile.TEXTS)
        parent[key] = _MARK
        written = json.dumps(made, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return written.replace(json.dumps(_MARK, ensure_ascii=False).encode(), choose.one(hostile.TEXTS), 1)
