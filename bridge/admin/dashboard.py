"""`GET /admin`: the operator's dashboard. Only its files: whatever it shows or orders goes through `/admin/api`."""

from fastapi import FastAPI

from bridge.pages.static_page import StaticPage


def mount(app: FastAPI) -> None:
    """Add the dashboard to the application."""
    StaticPage("dashboard", "'self'").mount(app, ("/admin", "/admin/"), "/admin/page")
