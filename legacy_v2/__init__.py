"""The V2 protocol: loose JSON on `/ws/…` and `/ws_redis/…`.

This folder imports no other package of this project. What it needs from outside, it declares in `ports.py`.
"""
