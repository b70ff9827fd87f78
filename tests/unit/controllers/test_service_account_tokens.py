"""Secrets that hold an account's token."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from kubeactors.api.meta import Object
from kubeactors.controllers.config import ControllerManagerConfig
from kubeactors.controllers.manager import ControllerManager, chosen_controllers
from kubeactors.controllers.service_account_tokens import (
    ACCOUNT_NAME,
    ACCOUNT_UID,
    SECRET_TYPE,
    TokenSecrets,
    filled,
    of_account,
)
from kubeactors.pki.authority import new_key
from kubeactors.pki.token_keys import Signer
from tests.support.eventually import eventually
from tests.support.fake_api import FakeApi

KEY = new_key()
ACCOUNT: Object = {"metadata": {"name": "robot", "namespace": "default", "uid": "u1"}}


def _secret(name: str = "s", **annotations: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": SECRET_TYPE,
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {ACCOUNT_NAME: "robot"}},
    }


def test_what_a_secret_is_filled_with() -> None:
    made = filled(_secret(), ACCOUNT, Signer(KEY), "PEM")
    assert made["metadata"]["annotations"] == {ACCOUNT_NAME: "robot", ACCOUNT_UID: "u1"}
    data = {key: base64.b64decode(value).decode() for key, value in made["data"].items()}
    assert (data["ca.crt"], data["namespace"]) == ("PEM", "default")
    claims = jwt.decode(data["token"], options={"verify_signature": False})
    assert claims == {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/secret.name": "s",
        "kubernetes.io/serviceaccount/service-account.name": "robot",
        "kubernetes.io/serviceaccount/service-account.uid": "u1",
        "sub": "system:serviceaccount:default:robot",
    }
    assert filled(made, ACCOUNT, Signer(KEY), "PEM") == made
    renewed = filled(made, ACCOUNT, Signer(KEY), "OTHER")
    assert renewed["data"]["token"] == made["data"]["token"]
    assert renewed["data"]["ca.crt"] != made["data"]["ca.crt"]


@pytest.mark.parametrize(
    ("annotations", "ours"),
    [
        ({ACCOUNT_NAME: "robot"}, True),
        ({ACCOUNT_NAME: "robot", ACCOUNT_UID: "u1"}, True),
        ({ACCOUNT_NAME: "robot", ACCOUNT_UID: "u2"}, False),
        ({ACCOUNT_NAME: "other"}, False),
        ({"x": "y"}, False),
    ],
)
def test_whose_a_secret_is(annotations: dict[str, str], ours: bool) -> None:
    assert of_account(_secret(**annotations), ACCOUNT) is ours


def test_without_a_key_nothing_is_filled() -> None:
    assert TokenSecrets not in chosen_controllers(ControllerManagerConfig())
    config = ControllerManagerConfig(service_account_key=KEY.decode())
    assert TokenSecrets in chosen_controllers(config)
    assert "PRIVATE KEY" not in repr(config)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    made = FakeApi()
    config = ControllerManagerConfig(
        leader_elect=False, controllers=("serviceaccount-token",), service_account_key=KEY.decode()
    )
    manager = ControllerManager(made.client(), config=config)
    await manager.start()
    yield made
    await manager.stop()


def _data(api: FakeApi, name: str = "s") -> dict[str, Any]:
    return (api.get("secrets", name) or {}).get("data") or {}


async def test_secrets_follow_their_account(api: FakeApi) -> None:
    api.seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    api.seed(_secret())
    await eventually(lambda: "token" in _data(api))

    def empty(secret: Object) -> None:
        del secret["data"]["token"]

    api.modify("secrets", "s", empty)
    await eventually(lambda: "token" in _data(api))
    api.remove("serviceaccounts", "robot")
    await eventually(lambda: api.get("secrets", "s") is None)


async def test_secrets_of_nobody_are_deleted(api: FakeApi) -> None:
    opaque = {**_secret("opaque"), "type": "Opaque"}
    api.seed(opaque, _secret(**{ACCOUNT_NAME: "nobody"}))
    await eventually(lambda: api.get("secrets", "s") is None)
    assert api.get("secrets", "opaque") is not None
