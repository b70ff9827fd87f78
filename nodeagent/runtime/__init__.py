"""Container runtimes: the interface that pod workers use, and Podman behind it."""
