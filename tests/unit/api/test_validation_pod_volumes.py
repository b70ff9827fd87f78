"""Refusals of a pod's volumes, each source by itself, and of what mounts them."""

from typing import Any

import pytest

from tests.support.api_samples import container, create_errors, pod

Object = dict[str, Any]

ONE = "may not specify more than 1 volume type"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
PROJECTED = "spec.volumes[0].projected"
CONFLICT = "conflicting duplicate paths"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def with_volume(**source: Any) -> Object:
    return pod(volumes=[{"name": "v", **source}])


def projected(*sources: Object) -> Object:
    return with_volume(projected={"sources": list(sources)})


@pytest.mark.parametrize(
    ("volume", "errors"),
    [
        ({"gcePersistentDisk": {}}, ["spec.volumes[0].persistentDisk.pdName: Required value"]),
        (
            {"gitRepo": {"repository": "r", "directory": "../x"}},
            ["spec.volumes[0].gitRepo.directory: Invalid value: \"../x\": must not contain '..'"],
        ),
        (
            {"configMap": {"name": "c"}, "downwardAPI": {}, "cephfs": {"monitors": ["m"]}},
            [f"spec.volumes[0].downwarAPI: Forbidden: {ONE}", f"spec.volumes[0].configMap: Forbidden: {ONE}"],
        ),
        ({"emptyDir": {}, "cephfs": {}}, [f"spec.volumes[0].cephFS: Forbidden: {ONE}"]),
        ({"cinder": {"volumeID": "i", "secretRef": {}}}, ["spec.volumes[0].cinder.secretRef.name: Required value"]),
        ({"storageos": {}}, ["spec.volumes[0].storageos.volumeName: Required value"]),
        (
            {"iscsi": {"targetPortal": "p", "iqn": "iqn.2001-04.example", "secretRef": {}}},
            ['spec.volumes[0].iscsi.iqn: Invalid value: "iqn.2001-04.example": must be valid format'],
        ),
        ({"iscsi": {"targetPortal": "p", "iqn": "eui.0123456789abcdez"}}, []),
        (
            {"iscsi": {"targetPortal": "p" * 70, "iqn": "iqn.2001-04.com:x", "initiatorName": "iqn.2001-04.com:y"}},
            [
                'spec.volumes[0].name: Invalid value: "v": Total length of <volume name>:<iscsi.targetPortal> '
                "must be under 64 characters if iscsi.initiatorName is specified."
            ],
        ),
        (
            {"azureDisk": {"diskName": "d", "diskURI": "http://x", "kind": "Shared"}},
            [
                'spec.volumes[0].azureDisk.diskURI: Unsupported value: "http://x": supported values: '
                '"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"'
            ],
        ),
        ({"csi": {"driver": "d" * 64}}, ["spec.volumes[0].csi.driver: Too long: may not be more than 63 bytes"]),
        (
            {"csi": {"driver": "d", "nodePublishSecretRef": {}}},
            ["spec.volumes[0].csi.nodePublishSecretRef.name: Required value"],
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {"metadata": {"name": "x", "finalizers": ["a/b"]}, "spec": CLAIM}}},
            [
                "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
                "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata.finalizers: Forbidden: cannot be set",
            ],
        ),
        (
            {"image": {"reference": "i", "pullPolicy": "Maybe"}},
            [
                'spec.volumes[0].image.pullPolicy: Unsupported value: "Maybe": '
                'supported values: "Always", "IfNotPresent", "Never"'
            ],
        ),
    ],
)
def test_volumes_that_are_refused(volume: Object, errors: list[str]) -> None:
    assert create_errors("pods", with_volume(**volume)) == errors


@pytest.mark.parametrize(
    ("sources", "errors"),
    [
        (
            [{"secret": {"items": [{"path": "../x"}]}, "configMap": {"name": "c"}}],
            [
                f"{PROJECTED}.sources[0].secret.name: Required value",
                f"{PROJECTED}.sources[0].secret.items[0].key: Required value",
                f"{PROJECTED}.sources[0].secret.items[0].path: Invalid value: \"../x\": must not contain '..'",
                f"{PROJECTED}.sources[0]: Forbidden: may not specify more than 1 volume type per source",
            ],
        ),
        (
            [{kind: {"name": kind, "items": [{"key": "k", "path": "p"}]}} for kind in ("secret", "configMap")],
            [f'{PROJECTED}: Invalid value: "configMap": {CONFLICT}'],
        ),
        (
            [{"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}] * 2}}],
            [f'{PROJECTED}: Invalid value: "p": {CONFLICT}'],
        ),
        ([{"serviceAccountToken": {"path": ""}}], [f"{PROJECTED}.path: Required value"]),
        (
            [{"serviceAccountToken": {"path": "/x", "expirationSeconds": 5}}],
            [
                f"{PROJECTED}.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: "
                "may not specify a duration less than 10 minutes",
                f'{PROJECTED}.path: Invalid value: "/x": must be a relative path',
            ],
        ),
    ],
)
def test_projections_that_are_refused(sources: list[Object], errors: list[str]) -> None:
    found = [e for e in create_errors("pods", projected(*sources)) if "serviceAccountName" not in e]
    assert found == errors


def test_claims_of_ephemeral_volumes() -> None:
    own = {"name": "v_", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}}
    same = {"name": "w", "persistentVolumeClaim": {"claimName": "p-v"}}
    obj = pod(volumes=[{**own, "name": "v"}, same])
    obj["metadata"]["name"] = "p"
    assert create_errors("pods", obj) == [
        'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "p-v": '
        "must not reference a PVC that gets created for an ephemeral volume"
    ]
    obj["spec"]["volumes"] = [own]
    assert create_errors("pods", obj)[0] == (f'spec.volumes[0].name: Invalid value: "v_": PVC name "p-v_": {SUBDOMAIN}')


def test_devices_and_mounts_of_one_volume() -> None:
    both = container(
        volumeMounts=[{"name": "v", "mountPath": "/x"}],
        volumeDevices=[{"name": "v", "devicePath": "/x"}, {"name": "v", "devicePath": "a/../b"}],
    )
    obj = pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}], containers=[both])
    at = "spec.containers[0]"
    assert create_errors("pods", obj) == [
        f'{at}.volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
        f'{at}.volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts',
        f'{at}.volumeDevices[0].devicePath: Invalid value: "/x": must not already exist as a path in volumeMounts',
        f'{at}.volumeDevices[1].name: Invalid value: "v": must be unique',
        f"{at}.volumeDevices[1].devicePath: Invalid value: \"a/../b\": can not contain backsteps ('..')",
        f'{at}.volumeDevices[1].name: Invalid value: "v": must not already exist in volumeMounts',
    ]
