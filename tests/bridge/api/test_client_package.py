"""The npm package of the client files. npm itself installs it in `tests/end_to_end/test_client_node.py`."""

from __future__ import annotations

import io
import json
import tarfile
import time

import pytest

from bridge.api import client_package
from bridge.api.client_package import package_of

FILES = {"aether.js": b"export const connect = 1;\n", "aether.d.ts": b"export const connect: 1;\n"}


def test_the_same_files_are_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    package = package_of(FILES)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert package_of(dict(reversed(FILES.items()))) == package


def test_it_holds_the_files_and_says_which_is_which() -> None:
    with tarfile.open(fileobj=io.BytesIO(package_of(FILES))) as tar:
        members = {member.name: member for member in tar}
        described = json.loads(tar.extractfile("package/package.json").read())  # type: ignore[union-attr]
        for name, content in FILES.items():
            assert tar.extractfile(f"package/{name}").read() == content  # type: ignore[union-attr]
    assert members.keys() == {f"package/{name}" for name in (*FILES, "package.json")}
    assert all((one.mtime, one.uid, one.mode) == (0, 0, 0o644) for one in members.values())
    assert described["exports"]["."] == {"types": "./aether.d.ts", "default": "./aether.js"}
    assert described["version"]


def test_a_copy_of_the_tree_has_a_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_package, "_PROJECT", "no-such-project")
    with tarfile.open(fileobj=io.BytesIO(package_of({}))) as tar:
        assert json.loads(tar.extractfile("package/package.json").read())["version"] == "0.0.0"  # type: ignore[union-attr]
