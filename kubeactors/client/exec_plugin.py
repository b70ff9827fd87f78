"""Credentials from a program that a kubeconfig names (client.authentication.k8s.io, ExecCredential).

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kubeactors.api.meta import parse_time

TIMEOUT = 60.0
"""Seconds that a plugin may take. It runs without a terminal."""
_MAX_OUTPUT = 1024 * 1024
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class ExecPluginError(Exception):
    """The program gave no credentials; the message says why and never quotes what it printed to standard output."""


@dataclass(frozen=True)
class ExecPlugin:
    """How to run it. `cluster` is told to the plugin if it wants to know (provideClusterInfo)."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    version: str = _VERSIONS[0]
    cluster: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.version not in _VERSIONS:
            raise ValueError(f"exec plugin {self.command}: apiVersion {self.version!r} is not one of {_VERSIONS}")


@dataclass(frozen=True)
class ExecCredential:
    """A token, or a certificate with its key (PEM). `expires` None: good for as long as it works."""

    token: str | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    expires: datetime | None = None


async def run(plugin: ExecPlugin) -> ExecCredential:
    """Ask the program. Raises ExecPluginError."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = dict(plugin.cluster)
    asked = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}
    environment = {**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": orjson.dumps(asked).decode()}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise ExecPluginError(f"cannot run the credential plugin {plugin.command}: {error.strerror}") from error
    try:
        async with asyncio.timeout(TIMEOUT):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise ExecPluginError(f"the credential plugin {plugin.command} took more than {TIMEOUT:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = complaint.decode(errors="replace").strip()[-500:]
        raise ExecPluginError(f"the credential plugin {plugin.command} failed with {process.returncode}: {text}")
    return parse(plugin, output)


def parse(plugin: ExecPlugin, output: bytes) -> ExecCredential:
    """What the program printed. Raises ExecPluginError."""
    try:
        document = orjson.loads(output[:_MAX_OUTPUT])
        status = document["status"]
        if document["kind"] != "ExecCredential" or document["apiVersion"] != plugin.version:
            raise ValueError("it is of another kind or version")
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        expires = status.get("expirationTimestamp")
        found = ExecCredential(
            status.get("token") or None,
            certificate.encode() if certificate else None,
            key.encode() if key else None,
            parse_time(expires) if expires else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ExecPluginError(f"the credential plugin {plugin.command} printed no ExecCredential: {error}") from error
    if (found.certificate is None) != (found.key is None) or (found.token is None and found.key is None):
        raise ExecPluginError(f"the credential plugin {plugin.command} gave neither a token nor a certificate and key")
    return found
