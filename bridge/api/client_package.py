"""The client files as a package of npm, made in memory: `npm install https://api.example.com/client/aether.tgz`.

The same files are always the same bytes, on every process: npm writes their hash into its lock file.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

NAME: Final = "aether-client"
_PROJECT: Final = "aether-bridge"


def package_of(files: Mapping[str, bytes]) -> bytes:
    """The gzipped tar archive with these files, and a `package.json` that names `aether.js` and its types."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted({**files, "package.json": _description()}.items()):
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def _description() -> bytes:
    described = {
        "name": NAME,
        "version": _version(),
        "description": "A client of Aether V3 that stays connected, and the script that lets V2 pages speak V3.",
        "license": "MIT",
        "type": "module",
        "types": "./aether.d.ts",
        "exports": {
            ".": {"types": "./aether.d.ts", "default": "./aether.js"},
            "./v2-shim.js": "./v2-shim.js",
            "./package.json": "./package.json",
        },
    }
    return json.dumps(described, indent=2).encode() + b"\n"


def _version() -> str:
    try:
        return version(_PROJECT)
    except PackageNotFoundError:  # run from a copy of the tree
        return "0.0.0"
