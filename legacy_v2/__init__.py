"""The old language: loose JSON on `/ws/…` and `/ws_redis/…`.

Nothing in this folder may import anything of ours from outside it; what it needs, it names in `ports.py`.
"""
