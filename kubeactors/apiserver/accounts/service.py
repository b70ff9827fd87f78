"""Service accounts' tokens on one API server: who signs, who verifies, and what others are told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from kubeactors.apiserver.accounts.objects import NamedObjects
from kubeactors.apiserver.authn.service_account import ServiceAccountAuthenticator
from kubeactors.pki.token_keys import NamedKey, Signer, Verifier


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """The keys and names of a cluster's tokens."""

    signer: Signer
    verifier: Verifier
    issuer: str

    @classmethod
    def load(cls, private: Path, public: Path | None, issuer: str) -> AccountKeys:
        """From PEM files; without `public` only what the private key signs is valid. Raises OSError, ValueError."""
        signer = Signer(private.read_bytes())
        others: Sequence[NamedKey] = Verifier.load(public.read_bytes()).keys if public is not None else ()
        return cls(signer, Verifier([signer.public, *others]), issuer)


class Accounts:
    """`now` returns seconds since 1970."""

    def __init__(self, keys: AccountKeys, objects: NamedObjects, now: Callable[[], float]) -> None:
        self.keys = keys
        #: For whom a token is meant that does not say so: this API server.
        self.audiences = (keys.issuer,)
        self.authenticator = ServiceAccountAuthenticator(keys.verifier, keys.issuer, self.audiences, objects, now)
        #: The document at /openid/v1/jwks.
        self.jwks = keys.verifier.jwks()

    def configuration(self, server_address: str) -> bytes:
        """The document at /.well-known/openid-configuration (OpenID Connect Discovery 1.0), as Kubernetes fills it.

        `server_address` is "host:port".
        """
        algorithms = sorted({key.algorithm for key in self.keys.verifier.keys})
        return orjson.dumps(
            {
                "issuer": self.keys.issuer,
                "jwks_uri": f"https://{server_address}/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": algorithms,
            }
        )
