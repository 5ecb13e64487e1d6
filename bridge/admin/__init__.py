"""The HTTP API for operators: the routes below `/admin`, their bodies, refusals and events, and the dashboard."""
