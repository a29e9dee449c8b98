"""The chat sessions over WebSocket: Copilot's, and the realtime interface of OpenAI."""

import asyncio
import base64
import json

from .http import PAUSE_BETWEEN_PIECES
from .text import words


async def talk(session, receive, send):
    """Answers until the client leaves, and returns what it said."""
    said = []
    await receive()
    await send({"type": "websocket.accept"})
    greeting, answers = VOICES[session.host]
    await say(send, greeting)
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text") or message["bytes"].decode()
        said.append(base64.b64encode(text.encode()).decode())
        for event in answers(json.loads(text)):
            await say(send, event)
            await asyncio.sleep(PAUSE_BETWEEN_PIECES)
    return said


async def say(send, event):
    await send({"type": "websocket.send", "text": json.dumps(event)})


def copilot(asked):
    if asked["event"] != "send":
        return
    yield {"event": "received", "conversationId": asked["conversationId"], "messageId": "lab-question"}
    for word in words():
        yield {"event": "appendText", "messageId": "lab-answer", "partId": "0", "text": word}
    yield {"event": "done", "messageId": "lab-answer"}


def realtime(asked):
    if asked["type"] == "session.update":
        yield {"type": "session.updated", "event_id": "event_lab2", "session": asked["session"]}
    if asked["type"] == "conversation.item.create":
        yield {"type": "conversation.item.added", "event_id": "event_lab3", "item": {"id": "item_lab1", **asked["item"]}}
    if asked["type"] == "response.create":
        place = {"response_id": "resp_lab1", "item_id": "item_lab2", "output_index": 0, "content_index": 0}
        for word in words():
            yield {"type": "response.output_text.delta", "event_id": "event_lab4", **place, "delta": word}
        response = {"id": "resp_lab1", "object": "realtime.response", "status": "completed", "output": []}
        yield {"type": "response.done", "event_id": "event_lab5", "response": response}


VOICES = {
    "copilot.microsoft.com": ({"event": "connected", "requestId": "lab-session"}, copilot),
    "api.openai.com": (
        {"type": "session.created", "event_id": "event_lab1", "session": {"type": "realtime", "model": "gpt-realtime"}},
        realtime,
    ),
}
