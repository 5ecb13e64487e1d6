"""`GET /admin`: the operator's dashboard. Only its files: whatever it shows or orders goes through `/admin/api`."""

from fastapi import FastAPI
from starlette.responses import FileResponse

from bridge.api.static_page import StaticPage


def mount(app: FastAPI) -> None:
    """Add the dashboard to the application."""
    page = StaticPage("dashboard", "'self'")

    @app.api_route("/admin", methods=["GET", "HEAD"], include_in_schema=False)
    @app.api_route("/admin/", methods=["GET", "HEAD"], include_in_schema=False)
    async def dashboard() -> FileResponse:
        return page.index()

    app.mount("/admin/page", page.files(), name="dashboard")
