"""The guestbook's three images, from Debian packages."""

from __future__ import annotations

from pathlib import Path

from examples.debian_image import DebianImage

HERE = Path(__file__).resolve().parent

FRONTEND = DebianImage(
    name="localhost/guestbook-frontend:v1",
    packages=("python3.11-minimal", "libpython3.11-stdlib"),
    files={"/app/guestbook.py": HERE / "frontend" / "guestbook.py"},
    entrypoint=("/usr/bin/python3.11", "-u", "/app/guestbook.py"),
    command=(),
    environment={"PYTHONDONTWRITEBYTECODE": "1"},
)

SIDECAR = DebianImage(
    name="localhost/guestbook-sidecar:v1",
    packages=("busybox-static",),
    links={f"/bin/{applet}": "busybox" for applet in ("sh", "tail", "cat", "sleep", "ls")},
    command=("/bin/sh",),
)

REDIS = DebianImage(
    name="localhost/guestbook-redis:v1",
    packages=("redis-server", "redis-tools"),
    entrypoint=("/usr/bin/redis-server",),
    command=("--save", ""),
)

ALL = (FRONTEND, SIDECAR, REDIS)
