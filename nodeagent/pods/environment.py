"""A container's environment, from the spec and the objects that it names: pure (kubelet's makeEnvironmentVariables)."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubeactors.api.meta import Object
from nodeagent.pods.expansion import expand
from nodeagent.pods.field_refs import FieldError, PodFacts, field_value, needs_pod_ip, resource_value

Find = Callable[[str, str], Object | None]  # (resource, name) in the pod's namespace


class ConfigError(Exception):
    """The container's configuration cannot be made (CreateContainerConfigError); the text is kubelet's."""


@dataclass(frozen=True)
class Environment:
    variables: dict[str, str]
    #: Names that envFrom had to leave out, for an event: (source, names).
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()


def references(container: Object) -> set[tuple[str, str]]:
    """The (resource, name) pairs that the environment is made from: resource is configmaps or secrets."""
    found = set()
    for source in container.get("envFrom") or ():
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if source.get(kind):
                found.add((resource, source[kind].get("name", "")))
    for variable in container.get("env") or ():
        value_from = variable.get("valueFrom") or {}
        for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
            if value_from.get(kind):
                found.add((resource, value_from[kind].get("name", "")))
    return found


def environment_needs_pod_ip(container: Object) -> bool:
    """Whether the environment can only be made when the pod has its address."""
    return any(
        needs_pod_ip(((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", ""))
        for variable in container.get("env") or ()
    )


def environment(pod: Object, container: Object, facts: PodFacts, services: Iterable[Object], find: Find) -> Environment:
    """The variables of one container. `services` are all services (any namespace). Raises ConfigError."""
    result: dict[str, str] = {}
    skipped: list[tuple[str, tuple[str, ...]]] = []
    namespace = pod["metadata"].get("namespace", "")
    for source in container.get("envFrom") or ():
        _take_all(source, namespace, find, result, skipped)
    links = pod["spec"].get("enableServiceLinks")
    from_services = service_variables(services, namespace, links is not False)
    for variable in container.get("env") or ():
        name = variable["name"]
        value_from = variable.get("valueFrom")
        if value_from:
            value = _value_from(pod, container, value_from, facts, namespace, find)
            if value is not None:
                result[name] = value
        else:
            result[name] = expand(variable.get("value") or "", result, from_services)
    for name, text in from_services.items():
        result.setdefault(name, text)
    return Environment(result, tuple(skipped))


def service_variables(services: Iterable[Object], namespace: str, links: bool) -> dict[str, str]:
    """The variables that tell of services: the API's always, the namespace's own with enableServiceLinks."""
    result: dict[str, str] = {}
    for service in sorted(services, key=lambda s: (s["metadata"]["namespace"] == namespace, s["metadata"]["name"])):
        metadata, spec = service["metadata"], service["spec"]
        is_api = metadata["namespace"] == "default" and metadata["name"] == "kubernetes"
        address = spec.get("clusterIP") or ""
        if address in ("", "None") or not spec.get("ports"):
            continue
        if is_api or (links and metadata["namespace"] == namespace):
            result.update(_of_service(metadata["name"], address, spec["ports"]))
    return result


def _of_service(name: str, address: str, ports: list[Object]) -> dict[str, str]:
    prefix = name.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    result = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if index == 0:
            result[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        result[link] = url
        result[f"{link}_PROTO"] = protocol.lower()
        result[f"{link}_PORT"] = str(port["port"])
        result[f"{link}_ADDR"] = address
    return result


def _take_all(
    source: Object, namespace: str, find: Find, result: dict[str, str], skipped: list[tuple[str, tuple[str, ...]]]
) -> None:
    prefix = source.get("prefix") or ""
    for kind, resource, word in (("configMapRef", "configmaps", "configmap"), ("secretRef", "secrets", "secret")):
        reference = source.get(kind)
        if not reference:
            continue
        name = reference.get("name", "")
        obj = find(resource, name)
        if obj is None:
            if reference.get("optional"):
                continue
            raise ConfigError(f'{word} "{name}" not found')
        wrong = []
        for key, value in decoded_data(obj, resource).items():
            if not key or "=" in key:
                wrong.append(key)
            else:
                result[prefix + key] = value.decode(errors="replace")
        if wrong:
            skipped.append((f"{word.capitalize()} {namespace}/{name}", tuple(sorted(wrong))))


def decoded_data(obj: Object, resource: str) -> dict[str, bytes]:
    """The data of a ConfigMap (with binaryData) or Secret as bytes."""
    if resource == "secrets":
        return {key: base64.b64decode(value or "") for key, value in (obj.get("data") or {}).items()}
    data = {key: (value or "").encode() for key, value in (obj.get("data") or {}).items()}
    data.update({key: base64.b64decode(value or "") for key, value in (obj.get("binaryData") or {}).items()})
    return data


def _value_from(
    pod: Object, container: Object, value_from: Mapping[str, Any], facts: PodFacts, namespace: str, find: Find
) -> str | None:
    try:
        if value_from.get("fieldRef"):
            return field_value(pod, value_from["fieldRef"]["fieldPath"], facts)
        if value_from.get("resourceFieldRef"):
            return resource_value(pod, value_from["resourceFieldRef"], container["name"], facts)
    except FieldError as error:
        raise ConfigError(str(error)) from error
    for kind, resource, word, title in (
        ("configMapKeyRef", "configmaps", "configmap", "ConfigMap"),
        ("secretKeyRef", "secrets", "secret", "Secret"),
    ):
        reference = value_from.get(kind)
        if not reference:
            continue
        name, key = reference.get("name", ""), reference["key"]
        obj = find(resource, name)
        if obj is None:
            if reference.get("optional"):
                return None
            raise ConfigError(f'{word} "{name}" not found')
        if kind == "configMapKeyRef":
            value = (obj.get("data") or {}).get(key)  # not binaryData: environments are text
            found = None if value is None else str(value)
        else:
            raw = decoded_data(obj, resource).get(key)
            found = None if raw is None else raw.decode(errors="replace")
        if found is None and not reference.get("optional"):
            raise ConfigError(f"couldn't find key {key} in {title} {namespace}/{name}")
        return found
    raise ConfigError(f"environment source is not supported: {', '.join(sorted(value_from))}")
