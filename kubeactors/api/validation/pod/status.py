"""Validation of writes to a pod's status."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from kubeactors.api.fielderrors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeactors.api.internal_form import internal_form
from kubeactors.api.validation.addresses import legacy_ip_errors, sloppy_ip
from kubeactors.api.validation.common import MAX_INT32, dns1123_subdomain, immutable, qualified_name, range_message
from kubeactors.api.validation.pod.annotations import pod_annotation_errors, pod_annotation_update_errors

Struct = Mapping[str, Any]

_SYSTEM_CONDITIONS: Final = ("PodScheduled", "Ready", "Initialized")
_LISTS: Final = (
    ("containerStatuses", "containers"),
    ("initContainerStatuses", "initContainers"),
    ("ephemeralContainerStatuses", "ephemeralContainers"),
)
_GENERATION: Final = "must be a non-negative integer"
_HEALTHS: Final = frozenset({"Healthy", "Unhealthy", "Unknown"})
_MAX_HEALTH_MESSAGE: Final = 1024
_ENDED: Final = "may not be transitioned to non-terminated state"
_CORE: Final = "io.k8s.api.core.v1."


def pod_status_update_errors(new: Struct, old: Struct) -> list[FieldError]:
    """Besides the metadata."""
    status, before, spec = new.get("status") or {}, old.get("status") or {}, new.get("spec") or {}
    annotations, earlier = ((o.get("metadata") or {}).get("annotations") or {} for o in (new, old))
    errors = pod_annotation_update_errors(annotations, earlier, "metadata.annotations")
    errors += pod_annotation_errors(annotations, spec, "metadata.annotations")
    errors += _condition_errors(status)
    errors += _nominated_errors(status.get("nominatedNodeName") or "", before.get("nominatedNodeName") or "", old)
    if (status.get("observedGeneration") or 0) < 0:
        errors.append(invalid("status.observedGeneration", status["observedGeneration"], _GENERATION))
    errors += immutable(status.get("qosClass") or "", before.get("qosClass") or "", "status.qosClass")
    for field, list_field in _LISTS:
        statuses, were = status.get(field) or (), before.get(field) or ()
        errors += _transition_errors(statuses, were, old, list_field, f"status.{field}")
    errors += _claim_errors(status.get("resourceClaimStatuses") or (), spec)
    errors += _address_errors(status, before, "podIPs", f"[{_CORE}PodIP") + _host_errors(status, before)
    for check in (_user_errors, _health_errors):
        for field, list_field in _LISTS:
            errors += _each(check, status.get(field) or (), spec, list_field, f"status.{field}")
    return errors


def _condition_errors(status: Struct) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, condition in enumerate(status.get("conditions") or ()):
        at, kind = f"status.conditions[{i}]", condition.get("type") or ""
        if (condition.get("observedGeneration") or 0) < 0:
            errors.append(invalid(f"{at}.observedGeneration", condition["observedGeneration"], _GENERATION))
        if kind not in _SYSTEM_CONDITIONS:
            errors += qualified_name(kind, f"{at}.Type")
    return errors


def _nominated_errors(name: str, before: str, old: Struct) -> list[FieldError]:
    if not name or name == before:
        return []
    path = "status.nominatedNodeName"
    errors = dns1123_subdomain(name, path)
    if (old.get("spec") or {}).get("nodeName"):
        errors.append(forbidden(path, "may not be set on pods that are already bound to a node"))
    return errors


def _transition_errors(
    statuses: Sequence[Struct], before: Sequence[Struct], old: Struct, field: str, path: str
) -> list[FieldError]:
    """A container that ended for good does not live again."""
    spec = old.get("spec") or {}
    if field != "ephemeralContainers" and _restarts_all(spec):
        return []
    containers = {c.get("name"): c for c in spec.get(field) or ()}
    errors: list[FieldError] = []
    for i, was in enumerate(before):
        ended = (was.get("state") or {}).get("terminated")
        now = next((s for s in statuses if s.get("name") == was.get("name")), None)
        if ended is None or now is None or (now.get("state") or {}).get("terminated") is not None:
            continue
        container = containers.get(was.get("name"))
        restarts = container is not None and field != "ephemeralContainers"
        if not (restarts and _should_restart(container or {}, spec, ended.get("exitCode") or 0)):
            errors.append(forbidden(f"{path}[{i}].state", _ENDED))
    return errors


def _restarts_all(spec: Struct) -> bool:
    """Whether a container's end may restart all of them (KEP-5532)."""
    containers = (c for field in ("initContainers", "containers") for c in spec.get(field) or ())
    return any(r.get("action") == "RestartAllContainers" for c in containers for r in c.get("restartPolicyRules") or ())


def _should_restart(container: Struct, spec: Struct, code: int) -> bool:
    policy = spec.get("restartPolicy")
    if container.get("restartPolicy") is not None:
        policy = container["restartPolicy"]
        for rule in container.get("restartPolicyRules") or ():
            codes = rule.get("exitCodes") or {}
            if (code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
                return bool(rule.get("action") == "Restart")
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _claim_errors(statuses: Sequence[Struct], spec: Struct) -> list[FieldError]:
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, status in enumerate(statuses):
        at, name = f"status.resourceClaimStatuses[{i}]", status.get("name") or ""
        if name not in known:
            message = "must match the name of an entry in `spec.resourceClaims`"
            errors.append(invalid(f"{at}.name", name, message))
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        if status.get("resourceClaimName") is not None:
            errors += dns1123_subdomain(status["resourceClaimName"], f"{at}.resourceClaimName")
    return errors


def _host_errors(status: Struct, before: Struct) -> list[FieldError]:
    addresses = status.get("hostIPs") or []
    if not addresses:
        return []
    errors: list[FieldError] = []
    first = addresses[0].get("ip") or ""
    if first != (status.get("hostIP") or ""):
        errors.append(invalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`"))
    return errors + _address_errors(status, before, "hostIPs", f"[{_CORE}HostIP")


def _address_errors(status: Struct, before: Struct, field: str, schema: str) -> list[FieldError]:
    """At most one address of each family; what was there may stay."""
    path = f"status.{field}"
    existing = [a.get("ip") or "" for a in before.get(field) or ()]
    addresses = [a.get("ip") or "" for a in status.get(field) or ()]
    errors: list[FieldError] = []
    for i, address in enumerate(addresses):
        errors += legacy_ip_errors(address, f"{path}[{i}]", existing)
    found = [parsed for a in addresses if (parsed := sloppy_ip(a)) is not None]
    several = len(addresses) > 1 and len(found) == len(addresses)
    if several and (len({a.version for a in found}) < 2 or len(addresses) > 2):
        message = "may specify no more than one IP for each IP family"
        errors.append(invalid(path, internal_form(status[field], schema), message))
    return errors


Check = Callable[[Struct, Struct, Struct | None, str], Iterator[FieldError]]


def _each(check: Check, statuses: Sequence[Struct], spec: Struct, field: str, path: str) -> list[FieldError]:
    containers = {c.get("name"): c for c in spec.get(field) or ()}
    return [
        error
        for i, status in enumerate(statuses)
        for error in check(
            status,
            spec,
            None if field == "ephemeralContainers" else containers.get(status.get("name"), {}),
            f"{path}[{i}]",
        )
    ]


def _user_errors(status: Struct, spec: Struct, _: Struct | None, path: str) -> Iterator[FieldError]:
    user = (status.get("user") or {}).get("linux")
    if user is None:
        return
    at = f"{path}.user.linux"
    if (spec.get("os") or {}).get("name") == "windows":
        yield forbidden(at, "cannot be set for a windows pod")
        return
    ids = [(f"{at}.{field}", user.get(field) or 0) for field in ("uid", "gid")]
    ids += [(f"{at}.supplementalGroups[{i}]", gid) for i, gid in enumerate(user.get("supplementalGroups") or ())]
    for place, number in ids:
        if not 0 <= number <= MAX_INT32:
            yield invalid(place, number, range_message(0, MAX_INT32))


def _health_errors(status: Struct, _: Struct, container: Struct | None, path: str) -> Iterator[FieldError]:
    """Of the devices' health (KEP-4680). `container`: None for ephemeral ones, empty where it is not known."""
    reports = status.get("allocatedResourcesStatus") or []
    if container is None:
        if reports:
            yield forbidden(f"{path}.allocatedResourcesStatus", "must not be specified in container status")
        return
    for j, report in enumerate(reports):
        at = f"{path}.allocatedResourcesStatus[{j}]"
        name, resources = report.get("name") or "", container.get("resources") or {}
        if container and name.startswith("claim:"):
            claims = ((c.get("name") or "", c.get("request") or "") for c in resources.get("claims") or ())
            if name not in {f"claim:{claim}/{request}" if request else f"claim:{claim}" for claim, request in claims}:
                message = (
                    "must match one of the container's resource claims in a format "
                    "'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty"
                )
                yield invalid(f"{at}.name", name, message)
        elif container and name not in (resources.get("requests") or ()):
            yield invalid(f"{at}.name", name, "must match one of the container's resource requests")
        yield from _device_errors(report.get("resources") or (), f"{at}.resources")


def _device_errors(devices: Sequence[Struct], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for k, device in enumerate(devices):
        at, health, message = f"{path}[{k}]", device.get("health") or "", device.get("message")
        if health not in _HEALTHS:
            yield not_supported(f"{at}.health", health, _HEALTHS)
        if message == "":
            yield required(f"{at}.message", "must be non-empty if specified")
        elif message is not None and len(message.encode()) > _MAX_HEALTH_MESSAGE:
            yield too_long(f"{at}.message", _MAX_HEALTH_MESSAGE)
        identity = device.get("resourceID") or ""
        if identity in seen:
            yield duplicate(f"{at}.resourceID", identity)
        seen.add(identity)
