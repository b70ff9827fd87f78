"""Fills secrets of type kubernetes.io/service-account-token, and deletes them with their account.

Tokens in secrets are the old way, for those who need one that does not expire; see
https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets.
"""

from __future__ import annotations

import base64
import logging

from kubeactors.api import meta
from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object, is_deleting, key, name, namespace, resource_version, split_key, uid
from kubeactors.controllers.controller import Controller, Surroundings
from kubeactors.pki.token_claims import legacy_claims
from kubeactors.pki.token_keys import Signer

logger = logging.getLogger(__name__)

SECRET_TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"


def of_account(secret: Object, account: Object) -> bool:
    """Whether a token's secret is for this very account; one without a uid is for any of that name."""
    named = meta.annotations(secret)
    return (
        namespace(secret) == namespace(account)
        and named.get(ACCOUNT_NAME) == name(account)
        and named.get(ACCOUNT_UID, uid(account)) == uid(account)
    )


def filled(secret: Object, account: Object, signer: Signer, root_ca: str | None) -> Object:
    """The secret with everything that it is to hold; a token that is there stays."""
    data = dict(secret.get("data") or {})
    if root_ca is not None:
        data["ca.crt"] = _encoded(root_ca)
    data["namespace"] = _encoded(namespace(secret))
    if not data.get("token"):
        data["token"] = _encoded(signer.sign(legacy_claims(account, secret)))
    named = {**meta.annotations(secret), ACCOUNT_NAME: name(account), ACCOUNT_UID: uid(account)}
    return {**secret, "metadata": {**secret["metadata"], "annotations": named}, "data": data}


def by_account(secret: Object) -> tuple[str]:
    """Under "account": the namespace and name of the account that a token's secret is for."""
    return (f"{namespace(secret)}/{meta.annotations(secret).get(ACCOUNT_NAME, '')}",)


class TokenSecrets(Controller):
    """Needs `config.service_account_key`. Keys are secrets."""

    name = "serviceaccount-token"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        pem = around.config.service_account_key
        if pem is None:
            raise ValueError("secrets with tokens need the key that signs them")
        self._signer = Signer(pem.encode())
        self.accounts = around.informers.informer("serviceaccounts")
        self.secrets = around.informers.informer(
            "secrets", field_selector=f"type={SECRET_TYPE}", indexers={"account": by_account}
        )
        self.secrets.add_handler(self.enqueue, lambda _, new: self.enqueue(new))
        self.accounts.add_handler(
            self._account_changed, lambda _, new: self._account_changed(new), self._account_changed
        )

    def _account_changed(self, account: Object) -> None:
        for secret in self.secrets.lister.by_index("account", key(account)):
            self.enqueue(secret)

    async def reconcile(self, key: str) -> float | None:
        secret = self.secrets.lister.get(*split_key(key))
        if secret is None or is_deleting(secret) or not meta.annotations(secret).get(ACCOUNT_NAME):
            return None
        account = self.accounts.lister.get(namespace(secret), meta.annotations(secret)[ACCOUNT_NAME])
        try:
            if account is None or not of_account(secret, account):
                account = await self._present(secret)
            if account is None:
                await self._delete(secret)
                return None
            wanted = filled(secret, account, self._signer, self.around.config.root_ca)
            if wanted != secret:
                await self.client.update("secrets", wanted)
        except StatusError as error:
            # Gone, or changed meanwhile, of which the informer tells.
            if error.code not in (404, 409):
                raise
        return None

    async def _present(self, secret: Object) -> Object | None:
        """The secret's account in the cluster, which the lister may not have seen yet."""
        try:
            account = await self.client.get(
                "serviceaccounts", meta.annotations(secret)[ACCOUNT_NAME], namespace(secret)
            )
        except StatusError as error:
            if error.code != 404:
                raise
            return None
        return account if of_account(secret, account) else None

    async def _delete(self, secret: Object) -> None:
        logger.info("deleting secret %s, whose service account is gone", key(secret))
        seen = {"uid": uid(secret), "resourceVersion": resource_version(secret)}
        await self.client.delete("secrets", name(secret), namespace(secret), preconditions=seen)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
