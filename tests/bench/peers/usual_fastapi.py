"""The chat server that most FastAPI and Redis tutorials arrive at, for comparison only.

One Redis subscription per room and process, one task that reads it, and one `await send_text` per listener.
Usage: `REDIS_URL=… uvicorn --app-dir tests/bench/peers usual_fastapi:app`.
"""

import asyncio
import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis

app = FastAPI()
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, max_connections=10_000)
rooms: dict[str, set[WebSocket]] = {}
readers: dict[str, asyncio.Task[None]] = {}


async def read_room(group: str) -> None:
    """Sends every listener of the room what Redis says in it."""
    async with redis.pubsub() as subscription:
        await subscription.subscribe(group)
        async for message in subscription.listen():
            if message["type"] == "message":
                await send_to_room(group, message["data"])


async def send_to_room(group: str, text: str) -> None:
    for websocket in list(rooms[group]):
        try:
            await websocket.send_text(text)
        except (RuntimeError, WebSocketDisconnect):
            rooms[group].discard(websocket)


@app.websocket("/ws/{group}/{client}")
async def serve_client(websocket: WebSocket, group: str, client: str) -> None:
    """Joins the room, and publishes what the client says until it leaves."""
    await websocket.accept()
    rooms.setdefault(group, set()).add(websocket)
    if group not in readers:
        readers[group] = asyncio.create_task(read_room(group))
    try:
        async for text in websocket.iter_text():
            await redis.publish(group, text)
    finally:
        rooms[group].discard(websocket)
