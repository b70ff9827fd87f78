"""Service accounts: tokens, who may go without, the issuer's discovery, and reviews of who may do what."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import kubernetes
import pytest
from kubernetes.client import (
    ApiClient,
    AuthenticationV1Api,
    AuthorizationV1Api,
    CoreV1Api,
)

from tests.conformance.clients import Http, eventually, official_client, watch_until
from tests.conformance.cluster import Cluster
from tests.conformance.registry import behaviour
from tests.conformance.samples import AUTHORITY, REQUEST

CONTAINER = {"name": "c", "image": "registry.example/c:1"}
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@behaviour("[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview")
def test_a_token_is_reviewed(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    account = core.create_namespaced_service_account(namespace, {"metadata": {"name": "sa"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    answer = core.create_namespaced_service_account_token("sa", namespace, request)
    assert answer.status.token
    review = AuthenticationV1Api(api).create_token_review({"spec": {"token": answer.status.token}})
    assert (review.status.authenticated, review.status.error) == (True, None)
    user = review.status.user
    assert (user.username, user.uid) == (f"system:serviceaccount:{namespace}:sa", account.metadata.uid)
    assert {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"} <= set(user.groups)
    core.delete_namespaced_service_account("sa", namespace)
    review = AuthenticationV1Api(api).create_token_review({"spec": {"token": answer.status.token}})
    assert not review.status.authenticated, "a token is worth nothing without its account"


def test_a_token_bound_to_a_pod(api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "sa"}})
    spec = {"serviceAccountName": "sa", "containers": [CONTAINER], "terminationGracePeriodSeconds": 0}
    pod = core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod.metadata.uid}
    body = {"spec": {"audiences": ["here"], "boundObjectRef": bound}}
    token = core.create_namespaced_service_account_token("sa", namespace, body).status.token
    assert _claims(token)["aud"] == ["here"]
    assert _claims(token)["kubernetes.io"]["pod"] == {"name": "p", "uid": pod.metadata.uid}
    reviews = AuthenticationV1Api(api)
    assert not reviews.create_token_review({"spec": {"token": token}}).status.authenticated
    asked = {"spec": {"token": token, "audiences": ["here", "there"]}}
    status = reviews.create_token_review(asked).status
    assert (status.authenticated, status.audiences) == (True, ["here"])
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    eventually(lambda: not reviews.create_token_review(asked).status.authenticated)


def test_the_default_account_and_the_authority_come_with_a_namespace(core: CoreV1Api, namespace: str) -> None:
    """Should guarantee kube-root-ca.crt exist in any namespace."""

    def account_is_back(kind: str, obj: Any) -> bool:
        return kind == "ADDED" and obj.metadata.name == "default"

    watch_until(core.list_namespaced_service_account, namespace, since="0", until=account_is_back)
    since = core.list_namespaced_service_account(namespace).metadata.resource_version
    core.delete_namespaced_service_account("default", namespace)
    watch_until(core.list_namespaced_service_account, namespace, since=since, until=account_is_back)

    def published(kind: str, obj: Any) -> bool:
        return kind != "DELETED" and "BEGIN CERTIFICATE" in (obj.data or {}).get("ca.crt", "")

    only = {"field_selector": "metadata.name=kube-root-ca.crt"}
    watch_until(core.list_namespaced_config_map, namespace, since="0", until=published, **only)
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.delete_namespaced_config_map("kube-root-ca.crt", namespace)
    made = watch_until(core.list_namespaced_config_map, namespace, since=since, until=published, **only)[-1][1]
    core.patch_namespaced_config_map("kube-root-ca.crt", namespace, {"data": {"ca.crt": "broken"}})
    since = made.metadata.resource_version
    seen = watch_until(core.list_namespaced_config_map, namespace, since=since, until=published, **only)
    assert [obj.data["ca.crt"] == "broken" for _, obj in seen] == [True, False]


@behaviour("[sig-auth] ServiceAccounts should allow opting out of API token automount")
@pytest.mark.parametrize("account", [None, True, False])
@pytest.mark.parametrize("pod", [None, True, False])
def test_automounting(core: CoreV1Api, namespace: str, account: bool | None, pod: bool | None) -> None:
    """The pod's word counts before the account's."""

    def automount(value: bool | None) -> dict[str, bool]:
        return {} if value is None else {"automountServiceAccountToken": value}

    core.create_namespaced_service_account(namespace, {"metadata": {"name": "sa"}, **automount(account)})
    spec = {"serviceAccountName": "sa", "containers": [CONTAINER], **automount(pod)}
    made = core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    mounts = [mount.mount_path for mount in made.spec.containers[0].volume_mounts or ()]
    expected = pod if pod is not None else account is not False
    assert mounts == [MOUNT] * expected
    if expected:
        sources = made.spec.volumes[0].projected.sources
        assert sources[0].service_account_token.path == "token"
        assert sources[1].config_map.name == "kube-root-ca.crt"


@behaviour(
    "[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer"
)
def test_the_issuer_can_be_discovered(core: CoreV1Api, http: Http, namespace: str) -> None:
    """A token is verified by what the server publishes alone."""
    document = http("GET", "/.well-known/openid-configuration")
    assert document.headers["Content-Type"] == "application/json"
    issuer = document.json
    assert issuer["response_types_supported"] == ["id_token"]
    assert issuer["subject_types_supported"] == ["public"]
    keys = http("GET", "/openid/v1/jwks", accept="application/jwk-set+json")
    assert keys.headers["Content-Type"] == "application/jwk-set+json"
    assert issuer["jwks_uri"].endswith("/openid/v1/jwks")
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "sa"}})
    body = {"spec": {"audiences": ["oidc-discovery-test"]}}
    token = core.create_namespaced_service_account_token("sa", namespace, body).status.token
    key = jwt.PyJWKSet.from_dict(keys.json)[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key.key,
        algorithms=issuer["id_token_signing_alg_values_supported"],
        audience="oidc-discovery-test",
        issuer=issuer["issuer"],
    )
    assert claims["sub"] == f"system:serviceaccount:{namespace}:sa"
    assert claims["exp"] > time.time()


@behaviour("[sig-auth] SubjectReview should support SubjectReview API operations")
def test_subject_reviews(cluster: Cluster, api: ApiClient, core: CoreV1Api, namespace: str) -> None:
    """What the reviews of a subject say is what its own calls find, whichever that is."""
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "sa"}})
    user = f"system:serviceaccount:{namespace}:sa"
    with official_client(cluster) as impersonating:
        impersonating.set_default_header("Impersonate-User", user)
        own = AuthorizationV1Api(impersonating)
        me = AuthenticationV1Api(impersonating).create_self_subject_review({})
        assert me.status.user_info.username == user
        attributes = {"verb": "list", "resource": "configmaps", "namespace": namespace, "version": "v1"}
        review = own.create_self_subject_access_review({"spec": {"resourceAttributes": attributes}})
        reviews = AuthorizationV1Api(api)
        subject = {"spec": {"resourceAttributes": attributes, "user": user}}
        found = reviews.create_subject_access_review(subject)
        local = reviews.create_namespaced_local_subject_access_review(namespace, subject)
        assert found.status.allowed == local.status.allowed == review.status.allowed
        assert found.spec.user == user
        try:
            kubernetes.client.CoreV1Api(impersonating).list_namespaced_config_map(namespace)
            allowed = True
        except kubernetes.client.ApiException as error:
            assert error.status == 403
            allowed = False
        assert found.status.allowed == allowed


def test_a_certificate_is_asked_for_approved_and_given(http: Http, namespace: str) -> None:
    """Certificates API should support CSR API operations: approval and status are apart from the request."""
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    spec = {"request": REQUEST, "signerName": "example.com/e2e", "usages": ["client auth"], "expirationSeconds": 3600}
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": namespace},
    }
    made = http.ok("POST", path, {**body, "spec": spec})
    assert made["spec"]["username"] == "kubernetes-admin"
    condition = {"type": "Approved", "status": "True", "reason": "E2E", "message": "m"}
    merge = {"content_type": "application/merge-patch+json"}
    refused = http("PATCH", f"{path}/{namespace}/status", {"status": {"conditions": [condition]}}, **merge)
    assert "may not add a condition of type" in refused.json["message"]
    approved = http.ok("PATCH", f"{path}/{namespace}/approval", {"status": {"conditions": [condition]}}, **merge)
    assert approved["status"]["conditions"][0]["type"] == "Approved"
    refused = http(
        "PATCH", f"{path}/{namespace}/approval", {"status": {"conditions": [{**condition, "type": "Denied"}]}}, **merge
    )
    assert refused.status == 422
    certificate = base64.b64encode(AUTHORITY.encode()).decode()
    given = http.ok("PATCH", f"{path}/{namespace}/status", {"status": {"certificate": certificate}}, **merge)
    assert given["status"]["certificate"] == certificate
    assert given["status"]["conditions"][0]["type"] == "Approved"
