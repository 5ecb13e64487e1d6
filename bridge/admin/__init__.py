"""The operator's HTTP: the routes below `/admin`, their bodies, refusals and stream of events, and the dashboard."""
