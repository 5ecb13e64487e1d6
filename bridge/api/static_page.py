"""A page served from this package: its files, and the policy that lets it load nothing else. It knows no page."""

from pathlib import Path
from typing import Any, Final

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

PAGES: Final = Path(__file__).parent.parent / "pages"
# The last two: data cannot become HTML, not even by a mistake of ours.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {connections}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class StaticPage:
    """One folder of `bridge/pages`. `connections`: where its scripts may connect, in the words of the policy."""

    def __init__(self, folder: str, connections: str) -> None:
        self.folder: Final = PAGES / folder
        self.headers: Final = {
            "Content-Security-Policy": _POLICY.format(connections=connections),
            "Cache-Control": "no-cache",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def index(self) -> FileResponse:
        """The page itself."""
        return FileResponse(self.folder / "index.html", headers=self.headers)

    def files(self) -> StaticFiles:
        """What it loads, to be mounted."""
        return _Files(self.folder, self.headers)


class _Files(StaticFiles):
    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        super().__init__(directory=folder)
        self._headers = headers

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(self._headers)
        return response
