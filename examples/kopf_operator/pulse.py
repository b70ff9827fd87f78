"""An operator written with kopf, as for any Kubernetes: a Pulse has a config map that says its message, and beats.

kopf run --all-namespaces examples/kopf_operator/pulse.py
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import kopf
from kubernetes import client, config

INTERVAL = 0.5
"""Seconds between beats."""


@kopf.on.startup()
def connect(**_: Any) -> None:
    config.load_config()


@kopf.on.create("example.com", "v1", "pulses")
def create(
    name: str, namespace: str, spec: Mapping[str, Any], patch: kopf.Patch, logger: logging.Logger, **_: Any
) -> None:
    said = {"metadata": {"name": name}, "data": {"message": spec["message"]}}
    kopf.adopt(said)  # the owner reference: deleting the Pulse deletes the config map
    client.CoreV1Api().create_namespaced_config_map(namespace, said)
    patch.status["phase"] = "Beating"
    logger.info("It says %s", spec["message"])


@kopf.on.update("example.com", "v1", "pulses", field="spec.message")
def update(name: str, namespace: str, old: str, new: str, patch: kopf.Patch, **_: Any) -> None:
    client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"message": new}})
    patch.status["before"] = old


@kopf.timer("example.com", "v1", "pulses", interval=INTERVAL)
def beat(status: Mapping[str, Any], patch: kopf.Patch, **_: Any) -> None:
    patch.status["beats"] = status.get("beats", 0) + 1


@kopf.on.delete("example.com", "v1", "pulses")
def stop(body: kopf.Body, **_: Any) -> None:
    # kopf's finalizer keeps the Pulse until this has returned.
    kopf.event(body, type="Normal", reason="Stopped", message="It beats no more")
