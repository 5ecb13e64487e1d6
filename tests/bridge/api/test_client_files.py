"""What `/client/…` is served with. Browsers try it in `tests/end_to_end/test_client.py` and `test_v2_shim.py`."""

from __future__ import annotations

import re
from typing import Final

import httpx
import pytest

from bridge.api.client_files import _AETHER, _PACE, _POSITION, _SHIM, FOLDER, aether_script, shim_script
from tests.conftest import StartBridge

TYPES: Final = {"aether.js": "text/javascript", "aether.d.ts": "text/plain", "v2-shim.js": "text/javascript"}
IMPORTED: Final = re.compile(r'from "(?:\./)?((?:\.\./)?[a-z0-9_]+)\.js"')
DECLARED: Final = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def test_they_may_be_loaded_from_anywhere_and_are_asked_for_anew(bridge: StartBridge) -> None:
    served = bridge()
    for name, media_type in TYPES.items():
        answer = httpx.get(f"{served.url}/client/{name}")
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": answer.headers["etag"]}
        assert httpx.get(f"{served.url}/client/{name}", headers=known).status_code == 304
        assert httpx.head(f"{served.url}/client/{name}").headers["content-length"] == answer.headers["content-length"]


def test_nothing_else_is_there(bridge: StartBridge) -> None:
    served = bridge()
    for name in ("", "nothing.js", "v2_shim", "client.js", "..%2Fpage.py", "%2e%2e/app.py", "aether/client.js"):
        assert httpx.get(f"{served.url}/client/{name}").status_code == 404
    assert httpx.post(f"{served.url}/client/aether.js").status_code == 405


@pytest.mark.parametrize(
    ("folder", "parts"), [("aether", _AETHER), ("v2_shim", ("about", *_SHIM))], ids=["aether", "v2_shim"]
)
def test_every_module_is_joined_after_what_it_imports(folder: str, parts: tuple[str, ...]) -> None:
    texts = {name: (FOLDER / folder / f"{name}.js").read_text() for name in parts}
    assert set(parts) - {_PACE, _POSITION} == {path.stem for path in (FOLDER / folder).iterdir()}
    for at, name in enumerate(parts):
        assert set(IMPORTED.findall(texts[name])) <= set(parts[:at])
    declared = [name for text in texts.values() for name in DECLARED.findall(text)]
    assert len(declared) == len(set(declared))


def test_only_the_client_exports_and_nothing_is_imported() -> None:
    assert re.findall(r"^export \w+ (\w+)", aether_script(), re.MULTILINE) == ["connect", "AetherClient"]
    assert "\nexport " not in shim_script()
    for script in (aether_script(), shim_script()):
        assert "\nimport " not in script
