"""The scale subresource of custom resources: replicas and selector lie where the definition says."""

from collections.abc import Mapping
from typing import Any, Final

from kubeactors.api import errors
from kubeactors.api.customresources.jsonpath import simple_fields
from kubeactors.api.customresources.strategy import replicas_at, text_at
from kubeactors.api.meta import Object

_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def custom_scale(paths: Mapping[str, Any], obj: Object) -> Object:
    """The Scale of an object. Raises StatusError (500) when it has no number of replicas."""
    spec_path = paths.get("specReplicasPath") or ""
    try:
        if not _present(obj, spec_path):
            raise errors.internal(f'the spec replicas field "{spec_path}" does not exist')
        wanted, status = replicas_at(obj, spec_path), replicas_at(obj, paths.get("statusReplicasPath") or "")
        selector = text_at(obj, paths["labelSelectorPath"]) if paths.get("labelSelectorPath") else ""
    except TypeError as error:
        raise errors.internal(str(error)) from None
    scale: Object = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: obj["metadata"][field] for field in _METADATA if field in obj["metadata"]},
        "spec": {"replicas": wanted} if wanted else {},
        "status": {"replicas": status},
    }
    if selector:
        scale["status"]["selector"] = selector
    return scale


def scale_custom(paths: Mapping[str, Any], obj: Object, replicas: int) -> None:
    """Set an object's replicas in place. Raises StatusError (500) where no field can be set."""
    *fields, last = simple_fields(paths.get("specReplicasPath") or "")
    place: Any = obj
    for field in fields:
        place = place.setdefault(field, {})
        if not isinstance(place, dict):
            raise errors.internal(f"value cannot be set because {field} is not a map[string]interface{{}}")
    place[last] = replicas


def _present(obj: Object, path: str) -> bool:
    value: Any = obj
    for field in simple_fields(path):
        if not isinstance(value, dict) or field not in value:
            return False
        value = value[field]
    return True
