"""The parameters of operations: which an operation has, and what they are. The names are Kubernetes'."""

from __future__ import annotations

LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
    "watch",
)
WRITE = ("dryRun", "fieldManager", "fieldValidation")
PATCH = (*WRITE, "force")
DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
LOG = (
    "container",
    "follow",
    "insecureSkipTLSVerifyBackend",
    "limitBytes",
    "previous",
    "sinceSeconds",
    "stream",
    "tailLines",
    "timestamps",
)

_COMMAND = ("container", "stderr", "stdin", "stdout", "tty")
CONNECT = {
    "attach": _COMMAND,
    "exec": ("command", *_COMMAND),
    "portforward": ("ports",),
    "proxy": ("path",),
}

#: Query parameters: OpenAPI type and description.
QUERY_PARAMETERS: dict[str, tuple[str, str]] = {
    "allowWatchBookmarks": ("boolean", "Ask a watch for events of type BOOKMARK. Ignored if this is not a watch."),
    "command": ("string", "What to run: the program, and in further parameters of this name its arguments. No shell."),
    "container": ("string", "The container that is meant. Defaults to the only container of the pod."),
    "continue": ("string", "The token of a list's previous page, to read the next one. Not for watches."),
    "dryRun": ("string", "With the value All the request is processed in full, but nothing is persisted."),
    "fieldManager": ("string", "The name of the actor that makes this change: at most 128 printable characters."),
    "fieldSelector": ("string", "Restrict the list to objects with these field values. Defaults to everything."),
    "fieldValidation": (
        "string",
        "What to do about unknown and duplicate fields: Ignore drops them, Warn (the default) also answers with a "
        "warning header for each, Strict refuses the request.",
    ),
    "follow": ("boolean", "Keep the stream open and send what the container writes."),
    "force": ("boolean", "Take over conflicting fields from their managers. For apply patches only."),
    "gracePeriodSeconds": ("integer", "Seconds before the object is deleted; 0 means at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (
        "boolean",
        "Delete the object even if it cannot be read from the store, without finalizers or preconditions.",
    ),
    "insecureSkipTLSVerifyBackend": (
        "boolean",
        "Do not verify the certificate of the node that has the log: somebody in between could have written it then.",
    ),
    "labelSelector": ("string", "Restrict the list to objects with these labels. Defaults to everything."),
    "limit": ("integer", "The most objects to answer with; if there are more, metadata.continue is set."),
    "limitBytes": ("integer", "The most bytes of log to answer with."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy. Whether dependents lose their owner only."),
    "path": ("string", "The part of the URL below the proxied object."),
    "ports": ("integer", "The ports to forward. Only for WebSocket channels."),
    "pretty": ("string", "If 'true', the answer is indented."),
    "previous": ("boolean", "Read the log of the container's previous, ended instance."),
    "propagationPolicy": ("string", "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "Which version of the data the answer may or must be of."),
    "resourceVersionMatch": ("string", "How resourceVersion applies to a list: Exact or NotOlderThan."),
    "sendInitialEvents": ("boolean", "Begin a watch with the present objects and a bookmark after them."),
    "shardSelector": (
        "string",
        "Restrict the list to objects in these ranges of a hash. Alpha: ignored while its feature gate is off.",
    ),
    "sinceSeconds": ("integer", "Read only what was written in the last so many seconds."),
    "stderr": ("boolean", "Send what the command writes to its standard error. Not with a terminal."),
    "stdin": ("boolean", "Pass input on to the command."),
    "stdout": ("boolean", "Send what the command writes to its standard output."),
    "stream": ("string", "Which stream of the log: All, Stdout or Stderr."),
    "tailLines": ("integer", "Read only so many lines from the end."),
    "timeoutSeconds": ("integer", "Seconds after which the list or watch ends, whatever happens."),
    "timestamps": ("boolean", "Begin each line with the time at which it was written (RFC 3339)."),
    "tty": ("boolean", "Give the command a terminal."),
    "watch": ("boolean", "Watch for changes and answer with a stream of events."),
}

#: Parameters in paths: description, with the kind that an operation is of.
PATH_PARAMETERS: dict[str, str] = {
    "name": "name of the {kind}",
    "namespace": "object name and auth scope, such as for teams and projects",
    "path": "path to the resource",
}
