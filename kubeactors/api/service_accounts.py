"""The user that a service account is (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/)."""

from __future__ import annotations

from typing import Final

from kubeactors.api.validation.names import dns1123_label_errors, dns1123_subdomain_errors

USER_PREFIX: Final = "system:serviceaccount:"
ALL_ACCOUNTS: Final = "system:serviceaccounts"
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
POD_UID: Final = "authentication.kubernetes.io/pod-uid"
NODE_NAME: Final = "authentication.kubernetes.io/node-name"
NODE_UID: Final = "authentication.kubernetes.io/node-uid"


def user_name(namespace: str, name: str) -> str:
    """`system:serviceaccount:NAMESPACE:NAME`."""
    return f"{USER_PREFIX}{namespace}:{name}"


def group_names(namespace: str) -> tuple[str, ...]:
    """The groups of every account of a namespace."""
    return (ALL_ACCOUNTS, f"{ALL_ACCOUNTS}:{namespace}")


def split_user_name(user: str) -> tuple[str, str] | None:
    """Namespace and name of a service account's user name; None for any other user."""
    if not user.startswith(USER_PREFIX):
        return None
    namespace, separator, name = user.removeprefix(USER_PREFIX).partition(":")
    if not separator or dns1123_label_errors(namespace) or dns1123_subdomain_errors(name):
        return None
    return namespace, name
