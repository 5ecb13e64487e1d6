"""python-socketio's client for asyncio. Arguments: address, key, client id. A line on stdin is said."""

import asyncio
import json
import sys

import socketio


async def main(url: str, api_key: str, client_id: str) -> None:
    client = socketio.AsyncClient()

    async def hear(said: object) -> None:
        print(f"heard {json.dumps(said)}", flush=True)

    client.on("message", hear, namespace="/v3")
    auth = {"api_key": api_key, "group_id": "team", "client_id": client_id}
    await client.connect(url, auth=auth, namespaces=["/v3"], wait_timeout=30)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await client.emit("message", json.loads(line), namespace="/v3")
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
