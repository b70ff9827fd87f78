"""Objects that the tests of this folder change a little."""

from datetime import UTC, datetime
from typing import Any

import orjson

from kubeactors.api import codec
from kubeactors.api.kinds import Kind, registry
from kubeactors.api.meta import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "c", "image": "registry.example/c:1", **fields}


def pod(name: str = "p", **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [container()], **spec}}


def service(**spec: Any) -> Object:
    return {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}


def deployment(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container()]}}
    return {
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec},
    }


def completed(resource: str, obj: Object) -> Object:
    """The object as the API server would store it, without admission."""
    kind = registry.lookup(resource)
    done = codec.decode(kind, orjson.dumps(obj)).obj
    meta = done["metadata"]
    meta.setdefault("uid", "u-1")
    meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
    if kind.namespaced:
        meta.setdefault("namespace", "default")
    kind.strategy.default(done)
    kind.strategy.prepare_for_create(done, NOW)
    return done


def create_errors(resource: str, obj: Object) -> list[str]:
    """Every field error of a create, as text."""
    return [str(e) for e in registry.lookup(resource).strategy.validate_create(completed(resource, obj))]


def updated(kind: Kind, old: Object, new: Object, subresource: str = "") -> Object:
    """`new` after the hooks of an update of `old`."""
    strategy = kind.strategy_for(subresource)
    assert strategy is not None
    new = codec.decode(kind, orjson.dumps(new)).obj
    strategy.default(new)
    strategy.prepare_for_update(new, old, NOW)
    return new


def update_errors(resource: str, old: Object, new: Object, subresource: str = "") -> list[str]:
    """Every field error of an update, each once, as text."""
    kind = registry.lookup(resource)
    strategy = kind.strategy_for(subresource)
    assert strategy is not None
    errors = strategy.validate_update(updated(kind, old, new, subresource), old)
    return list(dict.fromkeys(str(e) for e in errors))
