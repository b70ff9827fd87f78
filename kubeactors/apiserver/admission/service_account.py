"""ServiceAccount: every pod runs as an account of its namespace and finds the account's token in a volume.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-admission-controller
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from kubeactors.api import meta
from kubeactors.api.kinds import Kind
from kubeactors.api.meta import Object
from kubeactors.apiserver.admission.chain import Attributes, Operation, refusal
from kubeactors.apiserver.registry.names import generate_name

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
MIRROR: Final = "kubernetes.io/config.mirror"
_DEFAULT: Final = "default"
_VOLUME: Final = "kube-api-access-"
_ENFORCE: Final = "kubernetes.io/enforce-mountable-secrets"
#: An hour and a bit, by which the token is known to come from here (`token_requests.EXTENDED_FROM`).
_SECONDS: Final = 3607
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})

#: Finds an account of a namespace; `patient`: waits a moment for one that is just being made.
FindAccount = Callable[[str, str, bool], Awaitable[Object | None]]


class ServiceAccounts:
    """Completes new pods, and refuses those whose account is not there."""

    def __init__(self, find: FindAccount) -> None:
        self._find = find

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        if kind.plural != "pods" or kind.group:
            return False
        return (operation == "CREATE" and not subresource) or (
            operation == "UPDATE" and subresource == "ephemeralcontainers"
        )

    async def admit(self, attributes: Attributes) -> None:
        pod = attributes.obj
        if pod is None or attributes.operation != "CREATE":
            return
        spec = pod["spec"]
        if MIRROR in meta.annotations(pod):
            _check_mirror(attributes, pod)
            return
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = _DEFAULT
        account = await self._account(attributes, spec["serviceAccountName"])
        if _mounts_token(account, spec):
            mount_token(spec)
        secrets = account.get("imagePullSecrets")
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": secret.get("name") or ""} for secret in secrets]

    async def validate(self, attributes: Attributes) -> None:
        pod = attributes.obj
        if pod is None:
            return
        if MIRROR in meta.annotations(pod):
            _check_mirror(attributes, pod)
            return
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or ""
        if attributes.operation == "UPDATE":
            account = await self._find(attributes.namespace, name, False)
            if account is not None and _limits_secrets(account):
                _check_ephemeral(attributes, account, spec)
            return
        if not name:
            message = f"no service account specified for pod {attributes.namespace}/{attributes.name}"
            raise refusal(attributes, message)
        account = await self._account(attributes, name)
        if _limits_secrets(account):
            _check_secrets(attributes, account, spec)

    async def _account(self, attributes: Attributes, name: str) -> Object:
        namespace = attributes.namespace
        account = await self._find(namespace, name, name == _DEFAULT)
        if account is None:
            message = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise refusal(attributes, message)
        return account


def mount_token(spec: Object) -> None:
    """Give every container the volume with the token, unless it mounts something else there. Changes `spec`."""
    volumes = spec.get("volumes") or []
    present = next((volume["name"] for volume in volumes if volume.get("name", "").startswith(_VOLUME)), "")
    name = present or generate_name(_VOLUME)
    needed = False
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        mounts = container.get("volumeMounts") or []
        if not any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            needed = True
    if needed and not present:
        spec["volumes"] = [*volumes, {"name": name, "projected": token_volume()}]


def token_volume() -> Object:
    """A projection of the token, the cluster's authority and the namespace, with every default."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": _SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 0o644,
    }


def _mounts_token(account: Object, spec: Object) -> bool:
    """Whether the pod wants the token; where it does not say, its account does."""
    for wish in (spec.get("automountServiceAccountToken"), account.get("automountServiceAccountToken")):
        if wish is not None:
            return bool(wish)
    return True


def _check_mirror(attributes: Attributes, pod: Object) -> None:
    """A mirror pod is what a node runs by itself: nothing is added, and it may not reach for secrets."""
    spec = pod["spec"]
    message = ""
    if spec.get("serviceAccountName"):
        message = "a mirror pod may not reference service accounts"
    elif any(True for _ in _secret_names(spec)):
        message = "a mirror pod may not reference secrets"
    elif any(
        source.get("serviceAccountToken") is not None
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
    ):
        message = "a mirror pod may not use ServiceAccountToken volume projections"
    if message:
        raise refusal(attributes, message)


def _limits_secrets(account: Object) -> bool:
    return meta.annotations(account).get(_ENFORCE, "") in _TRUE


def _check_secrets(attributes: Attributes, account: Object, spec: Object) -> None:
    """The pod may use no other secrets than those that its account lists."""
    name = account["metadata"]["name"]
    allowed = {secret.get("name") for secret in account.get("secrets") or ()}
    for volume in spec.get("volumes") or ():
        source = volume.get("secret")
        if source is not None and source.get("secretName") not in allowed:
            raise refusal(
                attributes,
                f'volume with secret.secretName="{source.get("secretName", "")}" is not allowed because service '
                f"account {name} does not reference that secret",
            )
    for kind, word in (("initContainers", "init container"), ("containers", "container")):
        _check_environment(attributes, spec.get(kind) or (), word, allowed, name)
    pulled = {secret.get("name") for secret in account.get("imagePullSecrets") or ()}
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if secret.get("name") not in pulled:
            message = (
                f'imagePullSecrets[{index}].name="{secret.get("name", "")}" is not allowed because service account '
                f"{name} does not reference that imagePullSecret"
            )
            raise refusal(attributes, message)


def _check_ephemeral(attributes: Attributes, account: Object, spec: Object) -> None:
    allowed = {secret.get("name") for secret in account.get("secrets") or ()}
    name = account["metadata"]["name"]
    _check_environment(attributes, spec.get("ephemeralContainers") or (), "ephemeral container", allowed, name)


def _check_environment(
    attributes: Attributes, containers: list[Object] | tuple[()], word: str, allowed: set[str | None], account: str
) -> None:
    for container in containers:
        for env in container.get("env") or ():
            reference = (env.get("valueFrom") or {}).get("secretKeyRef")
            if reference is not None and reference.get("name") not in allowed:
                message = (
                    f"{word} {container['name']} with envVar {env.get('name', '')} referencing "
                    f'secret.secretName="{reference.get("name", "")}" is not allowed because service account '
                    f"{account} does not reference that secret"
                )
                raise refusal(attributes, message)
        for source in container.get("envFrom") or ():
            reference = source.get("secretRef")
            if reference is not None and reference.get("name") not in allowed:
                message = (
                    f"{word} {container['name']} with envFrom referencing "
                    f'secret.secretName="{reference.get("name", "")}" is not allowed because service account '
                    f"{account} does not reference that secret"
                )
                raise refusal(attributes, message)


def _secret_names(spec: Object) -> Iterator[str]:
    """Every secret that a pod spec refers to."""
    for secret in spec.get("imagePullSecrets") or ():
        yield secret.get("name") or ""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            for source in container.get("envFrom") or ():
                if source.get("secretRef") is not None:
                    yield source["secretRef"].get("name") or ""
            for env in container.get("env") or ():
                reference = (env.get("valueFrom") or {}).get("secretKeyRef")
                if reference is not None:
                    yield reference.get("name") or ""
    for volume in spec.get("volumes") or ():
        if volume.get("secret") is not None:
            yield volume["secret"].get("secretName") or ""
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("secret") is not None:
                yield source["secret"].get("name") or ""
        for kind in ("azureFile", "cephfs", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos", "csi"):
            source = volume.get(kind)
            if source is None:
                continue
            reference = source.get("secretRef") or source.get("nodePublishSecretRef")
            name = source.get("secretName") or (reference or {}).get("name")
            if name:
                yield name
