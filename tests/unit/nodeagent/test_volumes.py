"""Volumes that need no mount: files that change at once, host paths, selections."""

import base64
import os
import stat
from pathlib import Path

import pytest

from kubeactors.api.meta import Object
from nodeagent.paths import PodPaths, component
from nodeagent.pods.field_refs import PodFacts
from nodeagent.volumes.atomic_writer import File, write_atomically
from nodeagent.volumes.config_map import ConfigMap
from nodeagent.volumes.downward_api import DownwardApi
from nodeagent.volumes.empty_dir import EmptyDir
from nodeagent.volumes.host_path import HostPath
from nodeagent.volumes.interface import VolumeContext, VolumeError
from nodeagent.volumes.manager import refresh_volumes, set_up_volumes, volume_references
from tests.unit.nodeagent.pods import pod

FACTS = PodFacts("n1", ("192.0.2.1",), ("10.0.0.5",), {"cpu": "2"})


class Objects(dict[tuple[str, str], Object]):
    def find(self, resource: str, name: str) -> Object | None:
        return self.get((resource, name))


def context(tmp_path: Path, objects: Objects | None = None, **spec) -> VolumeContext:
    paths = PodPaths(tmp_path / "pods", tmp_path / "run", "u-1")
    return VolumeContext(pod(**spec), paths, FACTS, (objects or Objects()).find)


def contents(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir() if not entry.name.startswith("..")}


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("data", "data"),
        ("a.b-c_1", "a.b-c_1"),
        ("..", "%2E%2E"),
        ("a/b", "a%2Fb"),
        (".x", "%2Ex"),
        ("", "%"),
        ("ä", "%E4"),
    ],
)
def test_names_cannot_lead_out(name: str, safe: str) -> None:
    assert component(name) == safe


# -- the atomic writer -----------------------------------------------------------------------------------------------


def files(**data: str) -> dict[str, File]:
    return {name: File(text.encode(), 0o644) for name, text in data.items()}


def test_files_are_links_into_a_directory_that_is_swapped(tmp_path: Path) -> None:
    target = tmp_path / "v"
    assert write_atomically(target, files(a="1", b="2"))
    assert contents(target) == {"a": b"1", "b": b"2"}
    assert os.readlink(target / "a") == "..data/a"
    first = os.readlink(target / "..data")
    opened = (target / "a").open("rb")
    assert write_atomically(target, files(a="3"))
    assert contents(target) == {"a": b"3"}
    assert os.readlink(target / "..data") != first
    assert opened.read() == b"1"  # who has it open keeps what it has
    assert not (target / first).exists()


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    target = tmp_path / "v"
    write_atomically(target, files(a="1"), group=os.getgid())
    before = os.readlink(target / "..data")
    assert not write_atomically(target, files(a="1"), group=os.getgid())
    assert os.readlink(target / "..data") == before
    assert write_atomically(target, {"a": File(b"1", 0o600)}, group=os.getgid())


def test_paths_with_directories_and_modes(tmp_path: Path) -> None:
    write_atomically(tmp_path, {"x/y/z": File(b"1", 0o400)})
    assert (tmp_path / "x" / "y" / "z").read_bytes() == b"1"
    assert stat.S_IMODE((tmp_path / "x" / "y" / "z").stat().st_mode) == 0o400


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "..data", ""])
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(VolumeError, match="invalid path"):
        write_atomically(tmp_path / "v", {path: File(b"", 0o644)})
    assert not (tmp_path / "v").exists()


def test_a_failed_write_leaves_the_old_files(tmp_path: Path) -> None:
    write_atomically(tmp_path, files(a="1"))
    with pytest.raises(OSError, match="too long"):
        write_atomically(tmp_path, files(**{"a": "2", "x" * 300: "3"}))
    assert contents(tmp_path) == {"a": b"1"}


# -- types -----------------------------------------------------------------------------------------------------------


def test_config_map(tmp_path: Path) -> None:
    data = {"data": {"a": "1"}, "binaryData": {"b": base64.b64encode(b"\x00").decode()}}
    made = context(tmp_path, Objects({("configmaps", "cm"): data}))
    path = ConfigMap().set_up("v", {"name": "cm", "defaultMode": 0o600}, made)
    assert contents(path) == {"a": b"1", "b": b"\x00"}
    assert stat.S_IMODE((path / "a").stat().st_mode) == 0o600
    selected = {"name": "cm", "items": [{"key": "a", "path": "dir/x", "mode": 0o444}]}
    path = ConfigMap().set_up("w", selected, made)
    assert (path / "dir" / "x").read_bytes() == b"1"
    assert stat.S_IMODE((path / "dir" / "x").stat().st_mode) == 0o444


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"name": "no"}, 'configmap "no" not found'),
        ({"name": "cm", "items": [{"key": "z", "path": "z"}]}, "configmap references non-existent configmap key: z"),
    ],
)
def test_a_missing_config_map(tmp_path: Path, source: Object, message: str) -> None:
    made = context(tmp_path, Objects({("configmaps", "cm"): {"data": {}}}))
    with pytest.raises(VolumeError) as caught:
        ConfigMap().set_up("v", source, made)
    assert str(caught.value) == message
    assert contents(ConfigMap().set_up("v", {**source, "optional": True}, made)) == {}


def test_updates(tmp_path: Path) -> None:
    objects = Objects({("configmaps", "cm"): {"data": {"a": "1"}}})
    made = context(tmp_path, objects, volumes=[{"name": "v", "configMap": {"name": "cm"}}])
    path = set_up_volumes(made)["v"]
    objects[("configmaps", "cm")] = {"data": {"a": "2", "n": "3"}}
    refresh_volumes(made)
    assert contents(path) == {"a": b"2", "n": b"3"}


def test_fs_group(tmp_path: Path) -> None:
    made = context(
        tmp_path, Objects({("configmaps", "cm"): {"data": {"a": "1"}}}), securityContext={"fsGroup": os.getgid()}
    )
    path = ConfigMap().set_up("v", {"name": "cm", "defaultMode": 0o400}, made)
    assert stat.S_IMODE((path / "a").stat().st_mode) == 0o440
    directory = EmptyDir().set_up("e", {}, made)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o2777


def test_downward_api(tmp_path: Path) -> None:
    obj = context(tmp_path)
    obj.pod["metadata"]["labels"] = {"a": "1"}
    source = {
        "items": [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}, "mode": 0o400},
        ]
    }
    assert contents(DownwardApi().set_up("v", source, obj)) == {"labels": b'a="1"', "cpu": b"2"}


def test_empty_dir_is_kept_over_a_second_set_up(tmp_path: Path) -> None:
    made = context(tmp_path)
    path = EmptyDir().set_up("v", {}, made)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777
    (path / "file").write_text("kept")
    assert EmptyDir().set_up("v", {}, made) == path
    assert (path / "file").read_text() == "kept"
    with pytest.raises(VolumeError, match="HugePages"):
        EmptyDir().set_up("w", {"medium": "HugePages"}, made)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("Directory", "none", "is not a directory"),
        ("Directory", "file", "is not a directory"),
        ("File", "dir", "is not a file"),
        ("Socket", "file", "is not a socket file"),
        ("CharDevice", "file", "is not a character device"),
        ("BlockDevice", "none", "is not a block device"),
        ("DirectoryOrCreate", "file", "is not a directory"),
        ("FileOrCreate", "none/file", "No such file or directory"),
    ],
)
def test_host_path_types(tmp_path: Path, kind: str, name: str, message: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(VolumeError, match=message):
        HostPath().set_up("v", {"path": str(tmp_path / name), "type": kind}, context(tmp_path))


def test_host_paths_that_are_made(tmp_path: Path) -> None:
    made = context(tmp_path)
    assert HostPath().set_up("v", {"path": str(tmp_path / "d"), "type": "DirectoryOrCreate"}, made).is_dir()
    assert HostPath().set_up("v", {"path": str(tmp_path / "f"), "type": "FileOrCreate"}, made).is_file()
    assert HostPath().set_up("v", {"path": "/dev/null", "type": "CharDevice"}, made) == Path("/dev/null")


def test_what_is_not_supported_names_the_volume(tmp_path: Path) -> None:
    made = context(tmp_path, volumes=[{"name": "v", "nfs": {"server": "s"}}])
    with pytest.raises(VolumeError) as caught:
        set_up_volumes(made)
    assert str(caught.value) == 'MountVolume.SetUp failed for volume "v" : volume type nfs is not supported'


def test_references() -> None:
    projected = {"sources": [{"secret": {"name": "s2"}}, {"configMap": {"name": "c2"}}, {"downwardAPI": {}}]}
    volumes = [
        {"name": "a", "configMap": {"name": "c1"}},
        {"name": "b", "secret": {"secretName": "s1"}},
        {"name": "c", "projected": projected},
        {"name": "d", "emptyDir": {}},
    ]
    assert volume_references(pod(volumes=volumes)) == {
        ("configmaps", "c1"),
        ("configmaps", "c2"),
        ("secrets", "s1"),
        ("secrets", "s2"),
    }
