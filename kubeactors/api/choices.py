"""The constants of Kubernetes' string types: what fields of these types may be.

Each is called after its type and ordered as the type's constants are declared (k8s.io/api, v1.37). Validation that
compares with a set says the values sorted: it makes a set of them. Where it accepts fewer, it lists its own.
"""

from __future__ import annotations

from typing import Final

# Of many groups
CONDITION_STATUSES: Final = ("True", "False", "Unknown")
PREEMPTION_POLICIES: Final = ("PreemptLowerPriority", "Never")
PROTOCOLS: Final = ("TCP", "UDP", "SCTP")

# Pods and their containers
APP_ARMOR_PROFILE_TYPES: Final = ("Unconfined", "RuntimeDefault", "Localhost")
DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
GRPC_PROBE_MODES: Final = ("Plaintext", "TLS")
HTTP_PROTOCOLS: Final = ("HTTP1", "HTTP2")
MOUNT_PROPAGATION_MODES: Final = ("None", "HostToContainer", "Bidirectional")
POD_FS_GROUP_CHANGE_POLICIES: Final = ("OnRootMismatch", "Always")
POD_PHASES: Final = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
POD_QOS_CLASSES: Final = ("Guaranteed", "Burstable", "BestEffort")
PROC_MOUNT_TYPES: Final = ("Default", "Unmasked")
PULL_POLICIES: Final = ("Always", "Never", "IfNotPresent")
RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
SECCOMP_PROFILE_TYPES: Final = ("Unconfined", "RuntimeDefault", "Localhost")
SUPPLEMENTAL_GROUPS_POLICIES: Final = ("Merge", "Strict")
TERMINATION_MESSAGE_POLICIES: Final = ("File", "FallbackToLogsOnError")
URI_SCHEMES: Final = ("HTTP", "HTTPS")

# Linux' signals by name, without those that other systems have; of the real-time ones those near either end.
SIGNALS: Final = (
    *("SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGIO"),
    *("SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT", "SIGSEGV", "SIGSTKFLT", "SIGSTOP"),
    *("SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM"),
    *("SIGWINCH", "SIGXCPU", "SIGXFSZ"),
    "SIGRTMIN",
    *(f"SIGRTMIN+{distance}" for distance in range(1, 16)),
    *(f"SIGRTMAX-{distance}" for distance in range(14, 0, -1)),
    "SIGRTMAX",
)

# Where pods go, and nodes
NODE_INCLUSION_POLICIES: Final = ("Ignore", "Honor")
NODE_PHASES: Final = ("Pending", "Running", "Terminated")
NODE_SELECTOR_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
TAINT_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TOLERATION_OPERATORS: Final = ("Exists", "Equal", "Lt", "Gt")
UNSATISFIABLE_CONSTRAINT_ACTIONS: Final = ("DoNotSchedule", "ScheduleAnyway")

# Namespaces and quotas
NAMESPACE_PHASES: Final = ("Active", "Terminating")
RESOURCE_QUOTA_SCOPES: Final = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
SCOPE_SELECTOR_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")

# Volumes
AZURE_DATA_DISK_CACHING_MODES: Final = ("None", "ReadOnly", "ReadWrite")
AZURE_DATA_DISK_KINDS: Final = ("Shared", "Dedicated", "Managed")
CLAIM_RESOURCE_STATUSES: Final = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizePending",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
)
HOST_PATH_TYPES: Final = (
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
PERSISTENT_VOLUME_ACCESS_MODES: Final = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
PERSISTENT_VOLUME_CLAIM_MODIFY_VOLUME_STATUSES: Final = ("Pending", "InProgress", "Infeasible")
PERSISTENT_VOLUME_CLAIM_PHASES: Final = ("Pending", "Bound", "Lost")
PERSISTENT_VOLUME_MODES: Final = ("Block", "Filesystem")
PERSISTENT_VOLUME_PHASES: Final = ("Pending", "Available", "Bound", "Released", "Failed")
PERSISTENT_VOLUME_RECLAIM_POLICIES: Final = ("Recycle", "Delete", "Retain")
VOLUME_BINDING_MODES: Final = ("Immediate", "WaitForFirstConsumer")

# Services, endpoints and networks
ADDRESS_TYPES: Final = ("IPv4", "IPv6", "FQDN")
IP_FAMILIES: Final = ("IPv4", "IPv6", "")
IP_FAMILY_POLICIES: Final = ("SingleStack", "PreferDualStack", "RequireDualStack")
PATH_TYPES: Final = ("Exact", "Prefix", "ImplementationSpecific")
POLICY_TYPES: Final = ("Ingress", "Egress")
SERVICE_AFFINITIES: Final = ("ClientIP", "None")
SERVICE_TRAFFIC_POLICIES: Final = ("Cluster", "Local")
SERVICE_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")

# Workloads
COMPLETION_MODES: Final = ("NonIndexed", "Indexed")
CONCURRENCY_POLICIES: Final = ("Allow", "Forbid", "Replace")
DAEMON_SET_UPDATE_STRATEGY_TYPES: Final = ("RollingUpdate", "OnDelete")
DEPLOYMENT_STRATEGY_TYPES: Final = ("Recreate", "RollingUpdate")
POD_FAILURE_POLICY_ACTIONS: Final = ("FailJob", "FailIndex", "Ignore", "Count")
POD_FAILURE_POLICY_ON_EXIT_CODES_OPERATORS: Final = ("In", "NotIn")
POD_MANAGEMENT_POLICIES: Final = ("OrderedReady", "Parallel")
POD_REPLACEMENT_POLICIES: Final = ("TerminatingOrFailed", "Failed")
STATEFUL_SET_UPDATE_STRATEGY_TYPES: Final = ("RollingUpdate", "OnDelete")
UNHEALTHY_POD_EVICTION_POLICIES: Final = ("IfHealthyBudget", "AlwaysAllow")

# Admission
FAILURE_POLICIES: Final = ("Ignore", "Fail")
MATCH_POLICIES: Final = ("Exact", "Equivalent")
OPERATION_TYPES: Final = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")
PATCH_TYPES: Final = ("ApplyConfiguration", "JSONPatch")
REINVOCATION_POLICIES: Final = ("Never", "IfNeeded")
RULE_SCOPES: Final = ("Cluster", "Namespaced", "*")
SIDE_EFFECT_CLASSES: Final = ("Unknown", "None", "Some", "NoneOnDryRun")
VALIDATION_ACTIONS: Final = ("Deny", "Warn", "Audit")

# Certificates
KEY_USAGES: Final = (
    "signing",
    "digital signature",
    "content commitment",
    "key encipherment",
    "key agreement",
    "data encipherment",
    "cert sign",
    "crl sign",
    "encipher only",
    "decipher only",
    "any",
    "server auth",
    "client auth",
    "code signing",
    "email protection",
    "s/mime",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "timestamping",
    "ocsp signing",
    "microsoft sgc",
    "netscape sgc",
)

# Devices
ALLOCATION_CONFIG_SOURCES: Final = ("FromClass", "FromClaim")
DEVICE_ALLOCATION_MODES: Final = ("ExactCount", "All")
DEVICE_TAINT_EFFECTS: Final = ("None", "NoSchedule", "NoExecute")
DEVICE_TOLERATION_OPERATORS: Final = ("Exists", "Equal")

# Custom resources
FIELD_VALUE_ERROR_REASONS: Final = (
    "FieldValueRequired",
    "FieldValueDuplicate",
    "FieldValueInvalid",
    "FieldValueForbidden",
)
