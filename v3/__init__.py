"""The V3 protocol: strict `WS_Message_V3` messages on `/v3/ws/…`.

This folder imports no other package of this project. What it needs from outside, it declares in `ports.py`.
"""
