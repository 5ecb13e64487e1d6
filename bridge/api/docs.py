"""`GET /docs`: the page that shows the OpenAPI document and tries its operations, all of it from this package.

Decided here: it is a page of our own. Swagger UI would be megabytes, and wants styles and HTML that our policy forbids.
"""

from fastapi import FastAPI

from bridge.pages.static_page import StaticPage


def mount(app: FastAPI) -> None:
    """Add the page to the application."""
    StaticPage("http_api", "'self'").mount(app, ("/docs", "/docs/"), "/docs/page")
