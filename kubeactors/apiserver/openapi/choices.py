"""Which fields are published with their choices: those of the string types that Kubernetes marks `+enum`.

What each choice means is told in Kubernetes' words, which `make setup` writes to `choice_sentences.json` beside this
file (protos/kubernetes_choice_sentences.py). Without the file the choices are listed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

from kubeactors.api import choices
from kubeactors.api.schema.type_names import type_names

# By the Go type's name without its package, which all but one group call v1. Types that are not here are not marked.
_MARKED: Final[dict[str, tuple[str, ...]]] = {
    "AddressType": choices.ADDRESS_TYPES,
    "AllocationConfigSource": choices.ALLOCATION_CONFIG_SOURCES,
    "AppArmorProfileType": choices.APP_ARMOR_PROFILE_TYPES,
    "AzureDataDiskCachingMode": choices.AZURE_DATA_DISK_CACHING_MODES,
    "AzureDataDiskKind": choices.AZURE_DATA_DISK_KINDS,
    "ClaimResourceStatus": choices.CLAIM_RESOURCE_STATUSES,
    "CompletionMode": choices.COMPLETION_MODES,
    "ConcurrencyPolicy": choices.CONCURRENCY_POLICIES,
    "DNSPolicy": choices.DNS_POLICIES,
    "DaemonSetUpdateStrategyType": choices.DAEMON_SET_UPDATE_STRATEGY_TYPES,
    "DeploymentStrategyType": choices.DEPLOYMENT_STRATEGY_TYPES,
    "DeviceAllocationMode": choices.DEVICE_ALLOCATION_MODES,
    "DeviceTaintEffect": choices.DEVICE_TAINT_EFFECTS,
    "DeviceTolerationOperator": choices.DEVICE_TOLERATION_OPERATORS,
    "FieldValueErrorReason": choices.FIELD_VALUE_ERROR_REASONS,
    "FailurePolicyType": choices.FAILURE_POLICIES,
    "GRPCProbeMode": choices.GRPC_PROBE_MODES,
    "HTTPProtocol": choices.HTTP_PROTOCOLS,
    "HostPathType": choices.HOST_PATH_TYPES,
    "IPFamily": choices.IP_FAMILIES,
    "IPFamilyPolicy": choices.IP_FAMILY_POLICIES,
    "KeyUsage": choices.KEY_USAGES,
    "MatchPolicyType": choices.MATCH_POLICIES,
    "MountPropagationMode": choices.MOUNT_PROPAGATION_MODES,
    "NamespacePhase": choices.NAMESPACE_PHASES,
    "NodeInclusionPolicy": choices.NODE_INCLUSION_POLICIES,
    "NodePhase": choices.NODE_PHASES,
    "NodeSelectorOperator": choices.NODE_SELECTOR_OPERATORS,
    "OperationType": choices.OPERATION_TYPES,
    "PatchType": choices.PATCH_TYPES,
    "PathType": choices.PATH_TYPES,
    "PersistentVolumeAccessMode": choices.PERSISTENT_VOLUME_ACCESS_MODES,
    "PersistentVolumeClaimModifyVolumeStatus": choices.PERSISTENT_VOLUME_CLAIM_MODIFY_VOLUME_STATUSES,
    "PersistentVolumeClaimPhase": choices.PERSISTENT_VOLUME_CLAIM_PHASES,
    "PersistentVolumeMode": choices.PERSISTENT_VOLUME_MODES,
    "PersistentVolumePhase": choices.PERSISTENT_VOLUME_PHASES,
    "PersistentVolumeReclaimPolicy": choices.PERSISTENT_VOLUME_RECLAIM_POLICIES,
    "PodFSGroupChangePolicy": choices.POD_FS_GROUP_CHANGE_POLICIES,
    "PodFailurePolicyAction": choices.POD_FAILURE_POLICY_ACTIONS,
    "PodFailurePolicyOnExitCodesOperator": choices.POD_FAILURE_POLICY_ON_EXIT_CODES_OPERATORS,
    "PodManagementPolicyType": choices.POD_MANAGEMENT_POLICIES,
    "PodPhase": choices.POD_PHASES,
    "PodQOSClass": choices.POD_QOS_CLASSES,
    "PodReplacementPolicy": choices.POD_REPLACEMENT_POLICIES,
    "PolicyType": choices.POLICY_TYPES,
    "PreemptionPolicy": choices.PREEMPTION_POLICIES,
    "ProcMountType": choices.PROC_MOUNT_TYPES,
    "Protocol": choices.PROTOCOLS,
    "PullPolicy": choices.PULL_POLICIES,
    "ReinvocationPolicyType": choices.REINVOCATION_POLICIES,
    "ResourceQuotaScope": choices.RESOURCE_QUOTA_SCOPES,
    "RestartPolicy": choices.RESTART_POLICIES,
    "ScopeSelectorOperator": choices.SCOPE_SELECTOR_OPERATORS,
    "ScopeType": choices.RULE_SCOPES,
    "SeccompProfileType": choices.SECCOMP_PROFILE_TYPES,
    "ServiceAffinity": choices.SERVICE_AFFINITIES,
    "ServiceExternalTrafficPolicy": choices.SERVICE_TRAFFIC_POLICIES,
    "ServiceInternalTrafficPolicy": choices.SERVICE_TRAFFIC_POLICIES,
    "ServiceType": choices.SERVICE_TYPES,
    "SideEffectClass": choices.SIDE_EFFECT_CLASSES,
    "Signal": choices.SIGNALS,
    "StatefulSetUpdateStrategyType": choices.STATEFUL_SET_UPDATE_STRATEGY_TYPES,
    "SupplementalGroupsPolicy": choices.SUPPLEMENTAL_GROUPS_POLICIES,
    "TaintEffect": choices.TAINT_EFFECTS,
    "TerminationMessagePolicy": choices.TERMINATION_MESSAGE_POLICIES,
    "TolerationOperator": choices.TOLERATION_OPERATORS,
    "URIScheme": choices.URI_SCHEMES,
    "UnhealthyPodEvictionPolicyType": choices.UNHEALTHY_POD_EVICTION_POLICIES,
    "UnsatisfiableConstraintAction": choices.UNSATISFIABLE_CONSTRAINT_ACTIONS,
    "ValidationAction": choices.VALIDATION_ACTIONS,
    "VolumeBindingMode": choices.VOLUME_BINDING_MODES,
}
# Of types that kubectl does not hold.
_OTHERS: Final[dict[str, dict[str, str]]] = {
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule": {"reason": "v1.FieldValueErrorReason"},
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a field may be, or each of its elements if it is a list or map of them. Sorted."""

    values: list[str]
    of_elements: bool
    sentences: Mapping[str, str]  # by value, of those that have one

    def describe(self, description: str) -> str:
        """The description of the field with its choices listed below it. Those of elements are not."""
        if self.of_elements:
            return description
        lines = (f' - `"{value}"` {self.sentences.get(value, "")}'.rstrip() for value in self.values)
        return "\n".join((f"{description}\n\nPossible enum values:", *lines))


def choices_of(definition: str) -> Mapping[str, Choices]:
    """Field → its choices, of the fields of a definition that have some."""
    found = {}
    for field, name in (_OTHERS.get(definition) or type_names(definition)).items():
        containers, _, named = name.rpartition("]")
        values = _MARKED.get(named.rpartition(".")[2])
        if values:
            sentences = _sentences().get(definition, {}).get(field, {})
            found[field] = Choices(sorted(values), bool(containers), sentences)
    return found


def add_choices(definition: str, schema: dict[str, Any]) -> None:
    """Say what the fields of a definition's schema may be. It is changed in place."""
    properties = schema.get("properties") or {}
    for field, of in choices_of(definition).items():
        if field not in properties:
            continue
        each = properties[field]
        target = (each.get("items") or each["additionalProperties"]) if of.of_elements else each
        target["enum"] = of.values
        each["description"] = of.describe(each.get("description") or "")


@cache
def _sentences() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Definition → field → choice → what it means."""
    file = files(__package__).joinpath("choice_sentences.json")
    if not file.is_file():
        return {}
    document: dict[str, dict[str, dict[str, str]]] = orjson.loads(file.read_bytes())
    return document
