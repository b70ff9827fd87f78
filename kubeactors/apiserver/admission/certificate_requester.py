"""Who asks for a certificate is written into its signing request by the server, whatever the client says."""

from __future__ import annotations

from kubeactors.api.kinds import Kind
from kubeactors.apiserver.admission.chain import Attributes, Operation


class CertificateRequester:
    """What kube-apiserver's strategy of signing requests does when one is created."""

    def handles(self, operation: Operation, kind: Kind, subresource: str) -> bool:
        signing = kind.group == "certificates.k8s.io" and kind.plural == "certificatesigningrequests"
        return operation == "CREATE" and signing and not subresource

    async def admit(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec = attributes.obj.setdefault("spec", {})
        user = attributes.user
        given = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": user.extra}
        for field, value in given.items():
            if value:
                spec[field] = value
            else:
                spec.pop(field, None)

    async def validate(self, attributes: Attributes) -> None:
        return
