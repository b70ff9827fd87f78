"""Refusals of trust bundles in projected volumes."""

from typing import Any

import pytest

from kubeactors.api.validation.pod.volume import volumes_errors

AT = "spec.volumes[0].projected.sources[0].clusterTrustBundlePEM"


def messages(*sources: dict[str, Any]) -> list[str]:
    volume = {"name": "v", "projected": {"sources": [{"clusterTrustBundle": source} for source in sources]}}
    return [str(error) for error in volumes_errors([volume], "spec.volumes")[1]]


@pytest.mark.parametrize(
    "source",
    [
        {"name": "roots", "path": "ca.pem"},
        {"name": "example.com:signer:roots", "path": "ca.pem"},
        {"signerName": "example.com/signer", "labelSelector": {"matchLabels": {"a": "b"}}, "path": "tls/ca.pem"},
    ],
)
def test_bundles_by_name_and_by_signer_are_taken(source: dict[str, Any]) -> None:
    assert messages(source) == []


def test_a_bundle_needs_a_name_or_a_signer_and_a_path() -> None:
    assert messages({}) == [
        f"{AT}: Required value: either name or signerName must be specified",
        f"{AT}.path: Required value",
    ]


def test_a_selector_is_for_signers_only() -> None:
    found = messages({"name": "roots", "labelSelector": {}, "path": "ca.pem"})
    assert found == [f"{AT}.labelSelector: Invalid value: {{}}: labelSelector must be unset if name is specified"]


def test_name_and_signer_exclude_each_other() -> None:
    (found,) = messages({"name": "roots", "signerName": "example.com/signer", "path": "ca.pem"})
    assert found.startswith(f"{AT}: Invalid value: {{")
    assert found.endswith("only one of name and signerName may be used")


def test_two_bundles_cannot_have_one_path() -> None:
    found = messages({"name": "roots", "path": "ca.pem"}, {"name": "others", "path": "ca.pem"})
    assert found == ['spec.volumes[0].projected: Invalid value: "ca.pem": conflicting duplicate paths']
    assert messages({"name": "roots", "path": "../ca.pem"}) == [
        f"{AT}.path: Invalid value: \"../ca.pem\": must not contain '..'"
    ]
