"""Owner references that an object repeats: Kubernetes keeps the first of each and warns."""

from __future__ import annotations

from typing import Any, Final

import orjson

from kubeactors.api.meta import Object

_AFTER_ADMISSION: Final = " after mutating admission happens"


def drop_repeated_owners(obj: Object, *, admitted: bool = False) -> list[str]:
    """Take repeated owner references out of an object, in place; a warning if there were any.

    `admitted`: admission has seen the object, which the warning then says.
    """
    references: list[dict[str, Any]] | None = obj["metadata"].get("ownerReferences")
    if not references or len(references) == 1:
        return []
    kept: dict[bytes, dict[str, Any]] = {}
    repeated: list[str] = []
    for reference in references:
        if kept.setdefault(orjson.dumps(reference, option=orjson.OPT_SORT_KEYS), reference) is not reference:
            repeated.append(str(reference.get("uid", "")))
    if not repeated:
        return []
    obj["metadata"]["ownerReferences"] = list(kept.values())
    return [
        f".metadata.ownerReferences contains duplicate entries{_AFTER_ADMISSION if admitted else ''}; "
        "API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; "
        f"please fix your requests; duplicate UID(s) observed: {', '.join(repeated)}"
    ]
