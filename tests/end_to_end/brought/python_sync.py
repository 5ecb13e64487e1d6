"""python-socketio's client with threads. Arguments: address, key, client id. A line on stdin is said."""

import json
import sys

import socketio

url, api_key, client_id = sys.argv[1:]
client = socketio.Client()
client.on("message", lambda said: print(f"heard {json.dumps(said)}", flush=True), namespace="/v3")
auth = {"api_key": api_key, "group_id": "team", "client_id": client_id}
client.connect(url, transports=["polling"], auth=auth, namespaces=["/v3"], wait_timeout=30)
print("ready", flush=True)
for line in sys.stdin:
    client.emit("message", json.loads(line), namespace="/v3")
client.disconnect()
