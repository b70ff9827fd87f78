"""Podman as the container runtime, by REST on a kept-open unix socket."""
