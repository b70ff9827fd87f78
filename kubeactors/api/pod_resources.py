"""What the containers of a pod ask for or are limited to in all, as component-helpers' resource package counts it."""

from collections.abc import Mapping
from typing import Any

from kubeactors.api.quantity import Quantity, add

Amounts = dict[str, str]


def container_sums(spec: Mapping[str, Any], field: str) -> Amounts:
    """The `requests` or `limits` of a pod's containers together.

    Init containers run one after the other, beside those of them that go on (sidecars): the greatest need counts.
    """
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = add(total, _own(container, field))
    beside: Amounts = {}
    most: Amounts = {}
    for container in spec.get("initContainers") or ():
        needed = add(beside, _own(container, field))
        if container.get("restartPolicy") == "Always":
            beside = needed
            total = add(total, _own(container, field))
        most = _greater(most, needed)
    return _greater(total, most)


def _own(container: Mapping[str, Any], field: str) -> dict[str, Any]:
    return dict((container.get("resources") or {}).get(field) or {})


def _greater(amounts: Amounts, others: Amounts) -> Amounts:
    greater = dict(amounts)
    for name, text in others.items():
        if name not in greater or Quantity.parse(greater[name]) < Quantity.parse(text):
            greater[name] = text
    return greater
