"""A web page to which visitors write: a front end of three replicas with a logging sidecar, and Redis behind it."""
