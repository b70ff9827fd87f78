"""Tokens of service accounts: how they are asked for, what they say, and when they are taken."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest

from kubeactors.api.errors import StatusError
from kubeactors.api.meta import Object
from kubeactors.apiserver.accounts.objects import NAMED, NamedObjects
from kubeactors.apiserver.accounts.service import AccountKeys
from kubeactors.apiserver.authn.service_account import ServiceAccountAuthenticator
from kubeactors.apiserver.authn.tokens import TokenRefused
from kubeactors.apiserver.watchcache.record import Record
from kubeactors.pki.authority import new_key
from kubeactors.pki.service_accounts import ensure_signing_keys
from kubeactors.pki.token_claims import legacy_claims
from kubeactors.pki.token_keys import Signer, Verifier
from tests.support.api_core import NOW, Api, running_core
from tests.support.fake_store import FakeStore

ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> AccountKeys:
    directory = tmp_path_factory.mktemp("keys")
    ensure_signing_keys(directory / "sa.key", directory / "sa.pub")
    return AccountKeys.load(directory / "sa.key", directory / "sa.pub", ISSUER)


@pytest.fixture
async def api(keys: AccountKeys) -> AsyncIterator[Api]:
    async with running_core(FakeStore(), account_keys=keys) as running:
        await running.create("serviceaccounts", {"metadata": {"name": "robot"}}, "ns")
        yield running


async def _request(api: Api, spec: Object | None = None, name: str = "robot", metadata: Object | None = None) -> Object:
    body = {"metadata": metadata or {}, "spec": spec or {}}
    made: Object = await api.call(
        "create", "serviceaccounts", namespace="ns", name=name, subresource="token", body=body
    )
    return made


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def _seen(api: Api) -> None:
    """Wait until the watch cache has everything that was written."""
    await api.list("namespaces")


async def _user(api: Api, token: str) -> str:
    return (await api.core.tokens.authenticate(token)).user.name


async def test_a_token_says_what_kubernetes_says(api: Api, keys: AccountKeys) -> None:
    account = await api.get("serviceaccounts", "robot", "ns")
    made = await _request(api)
    assert made["metadata"]["uid"] == account["metadata"]["uid"]
    assert made["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    assert made["status"]["expirationTimestamp"] == "2026-01-02T04:04:05Z"
    token = made["status"]["token"]
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": keys.signer.public.id}
    claims = _claims(token)
    issued = int(NOW.timestamp())
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "aud": [ISSUER],
        "exp": issued + 3600,
        "iat": issued,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": "ns",
            "serviceaccount": {"name": "robot", "uid": account["metadata"]["uid"]},
        },
        "nbf": issued,
        "sub": "system:serviceaccount:ns:robot",
    }


async def test_the_user_of_a_token(api: Api) -> None:
    pod = await api.pod("p", serviceAccountName="robot", nodeName="n1")
    await api.create("nodes", {"metadata": {"name": "n1"}})
    node = await api.get("nodes", "n1")
    made = await _request(api, {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}})
    token = made["status"]["token"]
    found = await api.core.tokens.authenticate(token)
    assert found.audiences == (ISSUER,)
    assert found.user.name == "system:serviceaccount:ns:robot"
    assert found.user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")
    assert found.user.uid == (await api.get("serviceaccounts", "robot", "ns"))["metadata"]["uid"]
    assert dict(found.user.extra) == {
        "authentication.kubernetes.io/credential-id": (f"JTI={_claims(token)['jti']}",),
        "authentication.kubernetes.io/node-name": ("n1",),
        "authentication.kubernetes.io/node-uid": (node["metadata"]["uid"],),
        "authentication.kubernetes.io/pod-name": ("p",),
        "authentication.kubernetes.io/pod-uid": (pod["metadata"]["uid"],),
    }


async def test_the_token_that_every_pod_has_outlives_its_hour(api: Api) -> None:
    await api.pod("p", serviceAccountName="robot")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    made = await _request(api, {"expirationSeconds": 3607, "boundObjectRef": bound})
    claims = _claims(made["status"]["token"])
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    assert made["status"]["expirationTimestamp"] == "2026-01-02T04:04:12Z"
    other = await _request(api, {"expirationSeconds": 3607, "boundObjectRef": bound, "audiences": ["vault"]})
    claims = _claims(other["status"]["token"])
    assert claims["exp"] - claims["iat"] == 3607


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"expirationSeconds": 0}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 599}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 2**32 + 1}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 404, 'pods "none" not found'),
        ({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "none"}}, 404, 'secrets "none" not found'),
        ({"boundObjectRef": {"kind": "Node", "apiVersion": "v1"}}, 400, "Name parameter required."),
        (
            {"boundObjectRef": {"kind": "Deployment", "apiVersion": "apps/v1", "name": "d"}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Deployment",
        ),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "foreign"}},
            400,
            'cannot bind token for serviceaccount "robot" to pod running with different serviceaccount name.',
        ),
    ],
)
async def test_requests_that_are_refused(api: Api, spec: Object, code: int, message: str) -> None:
    await api.create("serviceaccounts", {"metadata": {"name": "other"}}, "ns")
    await api.pod("foreign", serviceAccountName="other")
    with pytest.raises(StatusError) as caught:
        await _request(api, spec)
    assert (caught.value.code, message in caught.value.message) == (code, True), caught.value.message


async def test_names_and_uids_must_fit(api: Api) -> None:
    with pytest.raises(StatusError, match="must match the service account name if specified"):
        await _request(api, metadata={"name": "else"})
    with pytest.raises(StatusError, match='serviceaccounts "nobody" not found'):
        await _request(api, name="nobody")


async def test_a_token_ends_with_what_it_is_bound_to(api: Api) -> None:
    await api.pod("p", serviceAccountName="robot")
    await api.create("secrets", {"metadata": {"name": "s"}}, "ns")
    free = (await _request(api))["status"]["token"]
    of_pod = (await _request(api, {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}))["status"]
    of_secret = (await _request(api, {"boundObjectRef": {"kind": "Secret", "name": "s"}}))["status"]
    for token in (free, of_pod["token"], of_secret["token"]):
        for _ in range(2):
            assert await _user(api, token) == "system:serviceaccount:ns:robot"
    await api.delete("pods", "p", "ns", grace_period_seconds=0)
    await api.delete("secrets", "s", "ns")
    await _seen(api)
    for token in (of_pod["token"], of_secret["token"]):
        with pytest.raises(TokenRefused, match="service account token has been invalidated"):
            await _user(api, token)
    # Another pod of the same name is another pod.
    await api.pod("p", serviceAccountName="robot")
    with pytest.raises(TokenRefused, match="pod UID"):
        await _user(api, of_pod["token"])
    assert await _user(api, free) == "system:serviceaccount:ns:robot"
    await api.delete("serviceaccounts", "robot", "ns")
    await _seen(api)
    with pytest.raises(TokenRefused, match='serviceaccounts "robot" not found'):
        await _user(api, free)


async def test_a_review_tells_why_a_token_is_refused(api: Api) -> None:
    token = (await _request(api))["status"]["token"]
    good = await api.create("tokenreviews", {"spec": {"token": token}})
    assert good["status"]["authenticated"] is True
    assert good["status"]["audiences"] == [ISSUER]
    bad = await api.create("tokenreviews", {"spec": {"token": token, "audiences": ["vault"]}})
    assert bad["status"] == {
        "user": {},
        "error": f'[invalid bearer token, token audiences ["{ISSUER}"] is invalid for the target audiences ["vault"]]',
    }


async def test_audiences(api: Api) -> None:
    token = (await _request(api, {"audiences": ["vault", "other"]}))["status"]["token"]
    with pytest.raises(TokenRefused, match=r'token audiences \["vault" "other"\] is invalid for the target audiences'):
        await _user(api, token)
    assert (await api.core.tokens.authenticate(token, ["vault", "third"])).audiences == ("vault",)


class _Objects(NamedObjects):
    """One service account that is always there, and nothing else."""

    def __init__(self, *objects: tuple[str, Object]) -> None:
        self.found = {(plural, obj["metadata"]["name"]): obj for plural, obj in objects}
        self.asked = 0

    def record(self, plural: str, namespace: str, name: str) -> Record | None:
        return None

    async def present(self, plural: str, namespace: str, name: str) -> Object | None:
        self.asked += 1
        return self.found.get((plural, name))


OF_ROBOT = {"namespace": "ns", "serviceaccount": {"name": "robot", "uid": "u1"}}
ACCOUNT: Object = {"metadata": {"name": "robot", "namespace": "ns", "uid": "u1"}}


def _token(keys: AccountKeys, **changes: Any) -> str:
    now = int(NOW.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "exp": now + 600,
        "nbf": now,
        "kubernetes.io": OF_ROBOT,
    }
    return keys.signer.sign({**claims, **changes})


def _authenticator(keys: AccountKeys, *objects: tuple[str, Object], now: datetime = NOW) -> ServiceAccountAuthenticator:
    found = _Objects(("serviceaccounts", ACCOUNT), *objects)
    return ServiceAccountAuthenticator(keys.verifier, ISSUER, [ISSUER], found, now.timestamp)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exp": NOW.timestamp() - 1}, "service account token has expired"),
        ({"nbf": NOW.timestamp() + 1}, "service account token is not valid yet"),
        ({"exp": "soon"}, "unexpected validation error"),
        ({"aud": ["other"]}, "invalid for the target audiences"),
        ({"aud": [ISSUER, 5]}, "unexpected audience claim"),
        ({"kubernetes.io": None}, "unexpected private claim"),
        ({"kubernetes.io": {**OF_ROBOT, "pod": "p"}}, "unexpected private claim"),
        ({"kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "robot", "uid": "u2"}}}, "does not match"),
        ({"kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "robot"}}}, "does not match claim"),
    ],
)
async def test_tokens_that_are_refused(keys: AccountKeys, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenRefused, match=message):
        await _authenticator(keys).authenticate(_token(keys, **changes))


async def test_only_the_clusters_keys_count(keys: AccountKeys) -> None:
    stranger = AccountKeys(Signer(new_key()), keys.verifier, ISSUER)
    assert stranger.signer.public.algorithm == "ES256"
    with pytest.raises(TokenRefused, match="invalid signature"):
        await _authenticator(keys).authenticate(_token(stranger))
    good = _token(keys)
    head, body, signature = good.split(".")
    forged = jwt.encode(_claims(good), "", algorithm="none")
    symmetric = jwt.api_jws.encode(orjson.dumps(_claims(good)), b"k" * 32, "HS256", {"kid": keys.signer.public.id})
    for token in (forged, symmetric, f"{head}.{body}.{signature[:-4]}AAAA"):
        with pytest.raises(TokenRefused, match="invalid signature"):
            await _authenticator(keys).authenticate(token)
    both = AccountKeys(stranger.signer, Verifier([keys.signer.public, stranger.signer.public]), ISSUER)
    assert await _authenticator(both).authenticate(_token(stranger)) is not None
    assert await _authenticator(both).authenticate(good) is not None


@pytest.mark.parametrize("token", ["rubbish", "a.b.c", "", "{}", "a" * 100_000, "e30.e30.e30", "e30.W10.e30"])
async def test_what_is_no_token_of_ours(keys: AccountKeys, token: str) -> None:
    assert await _authenticator(keys).authenticate(token) is None


async def test_a_deleting_account_counts_for_a_minute(keys: AccountKeys) -> None:
    deleted = {"metadata": {**ACCOUNT["metadata"], "deletionTimestamp": "2026-01-02T03:04:05Z"}}
    token = _token(keys)
    assert await _authenticator(keys, ("serviceaccounts", deleted)).authenticate(token) is not None
    late = _authenticator(keys, ("serviceaccounts", deleted), now=NOW + timedelta(seconds=61))
    with pytest.raises(TokenRefused, match="service account ns/robot has been deleted"):
        await late.authenticate(token)


async def test_a_token_in_a_secret(keys: AccountKeys) -> None:
    secret: Object = {"metadata": {"name": "s", "namespace": "ns", "uid": "u9"}}
    token = keys.signer.sign(legacy_claims(ACCOUNT, secret))
    secret["data"] = {"token": base64.b64encode(token.encode()).decode()}
    found = await _authenticator(keys, ("secrets", secret)).authenticate(token)
    assert found is not None and found.user.name == "system:serviceaccount:ns:robot"
    secret["data"] = {"token": base64.b64encode(b"another").decode()}
    with pytest.raises(TokenRefused, match="does not match server's copy"):
        await _authenticator(keys, ("secrets", secret)).authenticate(token)
    with pytest.raises(TokenRefused, match="invalidated"):
        await _authenticator(keys).authenticate(token)


async def test_objects_are_asked_for_again_only_when_they_change(api: Api) -> None:
    token = (await _request(api))["status"]["token"]
    await _user(api, token)
    assert api.core.accounts is not None
    known = next(iter(api.core.accounts.authenticator._known.values()))
    seen = known.seen
    assert len(seen) == 1
    await _user(api, token)
    assert known.seen is seen
    await api.patch("serviceaccounts", "robot", {"metadata": {"labels": {"a": "b"}}}, "ns")
    await _seen(api)
    await _user(api, token)
    assert known.seen is not seen


def test_the_documents_for_others(keys: AccountKeys, tmp_path: Path) -> None:
    key = orjson.loads(keys.verifier.jwks())["keys"]
    assert [(each["kty"], each["alg"], each["use"], each["kid"]) for each in key] == [
        ("RSA", "RS256", "sig", keys.signer.public.id)
    ]
    token = _token(keys, exp=int((datetime.now(UTC) + timedelta(hours=1)).timestamp()))
    found = jwt.PyJWKSet.from_dict({"keys": key})[keys.signer.public.id]
    assert jwt.decode(token, found, audience=ISSUER, options={"verify_nbf": False})["iss"] == ISSUER
    assert set(NAMED) == {"serviceaccounts", "pods", "secrets", "nodes"}


def test_keys_are_made_once(tmp_path: Path) -> None:
    private, public = tmp_path / "sa.key", tmp_path / "sa.pub"
    ensure_signing_keys(private, public)
    first = private.read_bytes()
    assert private.stat().st_mode & 0o777 == 0o600
    expected = public.read_bytes()
    public.unlink()
    ensure_signing_keys(private, public)
    assert (private.read_bytes(), public.read_bytes()) == (first, expected)
    ensure_signing_keys(tmp_path / "new.key", tmp_path / "new.pub")
    both = Verifier.load(expected + (tmp_path / "new.pub").read_bytes())
    assert [key.id for key in both.keys] == [
        Signer((tmp_path / name).read_bytes()).public.id for name in ("sa.key", "new.key")
    ]
    with pytest.raises(ValueError, match="no public key"):
        Verifier.load(b"")
