"""What every namespace has: the service account "default", and the cluster's CA certificate in a config map."""

from __future__ import annotations

from abc import abstractmethod

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, name, namespace
from kubeactors.controllers.controller import Controller, Surroundings
from kubeactors.controllers.refusals import is_namespace_terminating

DEFAULT_ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as "
    "the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


class _PerNamespace(Controller):
    """Makes one object named `object_name` in each namespace; keys are namespaces."""

    resource = ""
    object_name = ""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.namespaces = around.informers.informer("namespaces")
        self.objects = around.informers.informer(self.resource)
        self.namespaces.add_handler(self.enqueue, lambda _, new: self.enqueue(new))
        self.objects.add_handler(None, lambda _, new: self._changed(new), self._changed)

    def _changed(self, obj: Object) -> None:
        if name(obj) == self.object_name:
            self.queue.add(namespace(obj))

    @abstractmethod
    def wanted(self) -> Object:
        """The object as it is to be, without its namespace."""

    async def reconcile(self, key: str) -> float | None:
        found = self.namespaces.lister.get(None, key)
        if found is None or is_deleting(found) or (found.get("status") or {}).get("phase") == "Terminating":
            return None
        present = self.objects.lister.get(key, self.object_name)
        wanted = self.wanted()
        if present is None:
            try:
                await self.client.create(self.resource, wanted, key)
            except StatusError as error:
                if error.reason != "AlreadyExists" and error.code != 404 and not is_namespace_terminating(error):
                    raise
        elif not is_deleting(present) and not self.is_right(present, wanted):
            meta = {**present["metadata"], "annotations": wanted["metadata"].get("annotations")}
            await self.client.update(self.resource, {**present, **wanted, "metadata": meta})
        return None

    def is_right(self, present: Object, wanted: Object) -> bool:
        return True


class ServiceAccountController(_PerNamespace):
    name = "serviceaccount"
    resource = "serviceaccounts"
    object_name = DEFAULT_ACCOUNT

    def wanted(self) -> Object:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": DEFAULT_ACCOUNT}}


class RootCaPublisher(_PerNamespace):
    """Needs `config.root_ca`."""

    name = "root-ca-certificate-publisher"
    resource = "configmaps"
    object_name = ROOT_CA

    def wanted(self) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "annotations": {"kubernetes.io/description": _CA_DESCRIPTION}},
            "data": {"ca.crt": self.around.config.root_ca},
        }

    def is_right(self, present: Object, wanted: Object) -> bool:
        return bool(present.get("data") == wanted["data"])
