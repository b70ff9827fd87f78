"""Validation of when images are pulled."""

from typing import Final

from kubeactors.api.choices import PULL_POLICIES
from kubeactors.api.fielderrors import FieldError, not_supported, required

_POLICIES: Final = frozenset(PULL_POLICIES)


def pull_policy_errors(policy: str, path: str) -> list[FieldError]:
    """Of a container's image or of a volume's."""
    if not policy:
        return [required(path)]
    return [] if policy in _POLICIES else [not_supported(path, policy, _POLICIES)]
