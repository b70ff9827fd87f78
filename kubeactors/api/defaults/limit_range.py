"""Defaults of limit ranges."""

from typing import Any

JsonObject = dict[str, Any]


def default_limit_range(obj: JsonObject) -> None:
    """For containers: the limit is the maximum, the request is the limit, else the minimum, where none are given."""
    for limit in (obj.get("spec") or {}).get("limits") or ():
        if limit.get("type") != "Container":
            continue
        default, request = dict(limit.get("default") or {}), dict(limit.get("defaultRequest") or {})
        default = {**(limit.get("max") or {}), **default}
        request = {**(limit.get("min") or {}), **default, **request}
        if default:
            limit["default"] = default
        if request:
            limit["defaultRequest"] = request
