"""`GET /admin`: the dashboard for operators. It serves only files; the page reads and orders through `/admin/api`."""

from fastapi import FastAPI

from bridge.pages.static_page import StaticPage


def mount(app: FastAPI) -> None:
    """Add the dashboard to the application."""
    StaticPage("dashboard", "'self'").mount(app, ("/admin", "/admin/"), "/admin/page")
