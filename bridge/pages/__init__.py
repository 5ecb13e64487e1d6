"""The pages for people: static files without a build step, and how they are served.

`dashboard/` and `playground/` are a page each. `shared/` holds what both load: it is served with each of them, since
one may be there without the other. `client/` is what front ends load from the bridge. No module here knows what a file
says.
"""
