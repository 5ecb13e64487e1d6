"""What a person looks at: static files, no build step, and how they are served.

`dashboard/` and `playground/` are a page each, and `shared/` is what both load: it is served with each of them, since
one may be there without the other. `client/` is what front ends load from the bridge. It never knows what a file says.
"""
