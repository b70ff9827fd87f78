"""Takes the tests of the service proxy into a kernel that has IPVS, and looks at how they ended."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support import ipvs_vm

HERE = Path(__file__).parent
FOLDERS = [HERE / "test_services.py", HERE / "ipvs"]


@pytest.mark.ipvs
@pytest.mark.skipif(ipvs_vm.inside(), reason="this is what starts the guest")
@pytest.mark.timeout(620)
def test_service_proxy_over_ipvs(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--junitxml=/out/report.xml",
        "--timeout=120",
    ]
    result = ipvs_vm.run([*command, *map(str, FOLDERS)], shared=tmp_path, timeout=600)
    assert result.status == 0, result.output
    suites = ElementTree.parse(tmp_path / "report.xml").getroot().findall("testsuite")
    counts = {
        kind: sum(int(suite.get(kind, 0)) for suite in suites) for kind in ("tests", "skipped", "failures", "errors")
    }
    # Nothing may be left out in there without being noticed out here.
    expected = sum(
        path.read_text().count("\ndef test_") + path.read_text().count("\nasync def test_") for path in files()
    )
    assert counts == {"tests": expected, "skipped": 0, "failures": 0, "errors": 0}, result.output


def files() -> list[Path]:
    return [FOLDERS[0], *FOLDERS[1].glob("test_*.py")]
