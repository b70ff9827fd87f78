"""What the agent asks of the Linux kernel directly: mounts, namespaces, inotify, control groups."""
