"""Custom resources with unmodified kubectl and the official Python client, against a real store and API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import yaml
from kubernetes import client, config

from tests.support.control_plane import Completed, ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="module")

Kubectl = Callable[..., Awaitable[Completed]]

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, pattern: '^(\\S+ ){4}\\S+$', description: when it runs}
              replicas: {type: integer, minimum: 1, default: 1}
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, port: {type: integer}}
          status:
            type: object
            properties: {replicas: {type: integer}, selector: {type: string}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    selectableFields: [{jsonPath: .spec.cronSpec}]
"""
TAB = """\
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: backup}
spec: {cronSpec: "* * * * 5", ports: [{name: a, port: 1}]}
"""


@pytest.fixture
def kubectl(plane: ControlPlane, namespace: str) -> Kubectl:
    """kubectl in the test's namespace; fails the test unless `code` is the exit code."""

    async def run(*arguments: str, code: int = 0, stdin: str = "") -> Completed:
        done = await plane.kubectl("-n", namespace, *arguments, stdin=stdin)
        assert done.code == code, f"kubectl {' '.join(arguments)}: {done.code}\n{done.stdout}{done.stderr}"
        return done

    return run


async def test_a_kind_from_definition_to_deletion(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEFINITION)
    await kubectl("wait", "--for=condition=Established", "crd/crontabs.stable.example.com", "--timeout=60s")

    # Applied by the client, then by the server.
    assert (await kubectl("apply", "-f", "-", stdin=TAB)).stdout == "crontab.stable.example.com/backup created\n"
    changed = TAB.replace("port: 1", "port: 2")
    assert (await kubectl("apply", "-f", "-", stdin=changed)).stdout == "crontab.stable.example.com/backup configured\n"
    other = TAB.replace('cronSpec: "* * * * 5", ports: [{name: a, port: 1}]', "ports: [{name: b, port: 3}]")
    await kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other)
    found = json.loads((await kubectl("get", "ct", "backup", "-o", "json")).stdout)
    assert found["spec"] == {
        "cronSpec": "* * * * 5",
        "replicas": 1,
        "ports": [{"name": "a", "port": 2}, {"name": "b", "port": 3}],
    }
    refused = await kubectl("apply", "-f", "-", stdin=TAB.replace("* * * * 5", "never"), code=1)
    assert "spec.cronSpec in body should match" in refused.stderr
    unknown = await kubectl("create", "-f", "-", stdin=TAB.replace("ports:", "prots:"), code=1)
    assert 'unknown field "spec.prots"' in unknown.stderr

    # Shown by short name and category, with the definition's columns.
    lines = (await kubectl("get", "ct")).stdout.splitlines()
    assert [line.split()[:1] for line in lines] == [["NAME"], ["backup"]]
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS"]
    assert "crontab.stable.example.com/backup" in (await kubectl("get", "all")).stdout
    assert (await kubectl("get", "ct", "--field-selector", "spec.cronSpec=x")).stdout == ""
    explained = (await kubectl("explain", "crontab.spec.cronSpec")).stdout
    assert "when it runs" in explained
    assert "GROUP:      stable.example.com" in explained

    await kubectl("scale", "ct/backup", "--replicas=3")
    assert (await kubectl("get", "ct", "backup", "-o", "jsonpath={.spec.replicas}")).stdout == "3"
    await kubectl("patch", "ct", "backup", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":3}}')
    assert (await kubectl("get", "ct", "backup", "-o", "jsonpath={.status.replicas}")).stdout == "3"

    await kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=60s")
    gone = await kubectl("get", "ct", code=1)
    assert "the server could not find the requested resource" in gone.stderr


async def test_the_python_client_defines_and_uses_a_kind(plane: ControlPlane, namespace: str) -> None:
    def use() -> tuple[list[str], list[str]]:
        api = config.new_client_from_config(str(plane.kubeconfig))
        extensions, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
        definition = yaml.safe_load(DEFINITION.replace("crontabs", "pytabs").replace("crontab", "pytab"))
        definition["spec"]["names"]["kind"], definition["spec"]["names"]["shortNames"] = "PyTab", ["pt"]
        extensions.create_custom_resource_definition(definition)
        while True:
            made = extensions.read_custom_resource_definition("pytabs.stable.example.com")
            if any(each.type == "Established" and each.status == "True" for each in made.status.conditions or ()):
                break
        place = ("stable.example.com", "v1", namespace, "pytabs")
        body = yaml.safe_load(TAB) | {"kind": "PyTab"}
        custom.create_namespaced_custom_object(*place, body)
        custom.patch_namespaced_custom_object(*place, "backup", {"spec": {"replicas": 2}})
        listed = custom.list_namespaced_custom_object(*place)["items"]
        extensions.delete_custom_resource_definition("pytabs.stable.example.com")
        return [each["metadata"]["name"] for each in listed], [str(each["spec"]["replicas"]) for each in listed]

    assert await asyncio.to_thread(use) == (["backup"], ["2"])
