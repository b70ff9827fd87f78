"""Validation rules of custom resources, with unmodified kubectl against a real store and API server."""

from __future__ import annotations

import pytest
import yaml

from tests.support.control_plane import ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = [
    {"rule": "self.min <= self.max", "message": "min must not exceed max", "fieldPath": ".min"},
    {
        "rule": "self.max <= oldSelf.max",
        "messageExpression": "self.max > 9 ? 'too high' : 'higher than ' + 'before'",
        "reason": "FieldValueForbidden",
    },
]


def definition(*rules: dict[str, str]) -> str:
    number = {"type": "integer"}
    spec = {"type": "object", "properties": {"min": number, "max": number}, "x-kubernetes-validations": list(rules)}
    status = {"type": "object", "properties": {"seen": {**number, "x-kubernetes-validations": [{"rule": "self > 0"}]}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return yaml.safe_dump(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "ranges.rules.example.com"},
            "spec": {
                "group": "rules.example.com",
                "scope": "Cluster",
                "names": {"plural": "ranges", "kind": "Range"},
                "versions": [version],
            },
        }
    )


async def test_rules_are_compiled_and_enforced(plane: ControlPlane) -> None:
    async def kubectl(*arguments: str, stdin: str = "", code: int = 0) -> str:
        done = await plane.kubectl(*arguments, stdin=stdin)
        assert done.code == code, f"kubectl {' '.join(arguments)}: {done.code}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    wrong = await kubectl("create", "-f", "-", stdin=definition({"rule": "self.most > 1"}), code=1)
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'most'\n | self.most > 1\n | ....^" in wrong
    await kubectl("create", "-f", "-", stdin=definition(*RULES))
    await kubectl("wait", "--for=condition=Established", "crd/ranges.rules.example.com", "--timeout=60s")

    made = "apiVersion: rules.example.com/v1\nkind: Range\nmetadata: {name: a}\nspec: {min: 1, max: 5}\n"
    refused = await kubectl("create", "-f", "-", stdin=made.replace("min: 1", "min: 9"), code=1)
    assert refused == 'The Range "a" is invalid: spec.min: Invalid value: min must not exceed max\n'
    await kubectl("create", "-f", "-", stdin=made)
    patch = ("patch", "ranges", "a", "--type=merge", "-p")
    assert "spec: Forbidden: higher than before" in await kubectl(*patch, '{"spec":{"max":6}}', code=1)
    await kubectl(*patch, '{"spec":{"max":4}}')
    status = (*patch, '{"status":{"seen":0}}', "--subresource=status")
    assert "status.seen: Invalid value: 0: failed rule: self > 0" in await kubectl(*status, code=1)
    await kubectl("delete", "crd", "ranges.rules.example.com")
