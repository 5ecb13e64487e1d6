"""The modern language: strict `WS_Message_V3` messages on `/v3/ws/…`.

Nothing in this folder may import anything of ours from outside it; what it needs, it names in `ports.py`.
"""
