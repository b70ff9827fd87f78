"""What a write to pods/ephemeralcontainers may change (KEP-277)."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.fielderrors import FieldError, forbidden, go_quote
from kubeactors.api.meta import is_static
from kubeactors.api.validation.pod.annotations import pod_annotation_errors, pod_annotation_update_errors
from kubeactors.api.validation.pod.pod import pod_kept_errors


def ephemeral_containers_update_errors(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Of a write to pods/ephemeralcontainers, besides the metadata: containers may be added and nothing else."""
    if is_static(old):
        return [forbidden("", "static pods do not support ephemeral containers")]
    spec = new.get("spec") or {}
    annotations, before = ((o.get("metadata") or {}).get("annotations") or {} for o in (new, old))
    errors = pod_kept_errors(new)
    errors += pod_annotation_update_errors(annotations, before, "metadata.annotations")
    errors += pod_annotation_errors(annotations, spec, "metadata.annotations")
    present = {c.get("name"): c for c in spec.get("ephemeralContainers") or ()}
    for container in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = container.get("name") or ""
        begin = f"existing ephemeral containers {go_quote(name)} may not be"
        if name not in present:
            errors.append(forbidden("spec.ephemeralContainers", f"{begin} removed\n"))
        elif present[name] != container:
            fields = sorted(f for f in {*container, *present[name]} if container.get(f) != present[name].get(f))
            errors.append(forbidden("spec.ephemeralContainers", f"{begin} changed\n{', '.join(fields)} differ"))
    return errors
