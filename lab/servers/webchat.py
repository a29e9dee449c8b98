"""The chat sites as a browser meets them: a page that sends what the real page's script sends, and the answers to it."""

import json
from pathlib import Path

from .http import Reply, answer, events, not_found
from .text import ANSWER, words

PAGES = Path(__file__).parent.parent / "pages"
CONVERSATION = "6f1d2c3b-0000-4000-8000-00000000c0de"


def file(name):
    kind = {"html": "text/html; charset=utf-8", "js": "text/javascript", "css": "text/css"}[name.split(".")[1]]
    return Reply((PAGES / name).read_bytes(), kind)


def chatgpt(request):
    path = request.path
    if request.method == "GET":
        return {"/": lambda: file("chatgpt.html"), "/chat.js": lambda: file("chat.js")}.get(path, not_found)()
    if path == "/backend-api/sentinel/chat-requirements":
        return answer({"persona": "chatgpt-freeaccount", "token": "lab-requirements-token", "expire_after": 540})
    if path == "/backend-api/f/conversation/prepare":
        return answer({"status": "ok", "conduit_token": "lab-conduit-token"})
    if path == "/backend-api/f/conversation":
        return events(chatgpt_turn())
    if path == "/backend-api/files":
        upload = "https://files.oaiusercontent.com/file-Lab0001?se=2026-11-22&sp=rw&sv=2024-08-04&sr=b&sig=invented"
        return answer({"status": "success", "upload_url": upload, "file_id": "file-Lab0001"})
    if path.startswith("/backend-api/files/"):
        return answer({"status": "success", "retrieval_index_status": "success"})
    return not_found()


def chatgpt_turn():
    message = {
        "id": "2b1f0000-0000-4000-8000-00000000feed", "author": {"role": "assistant"}, "status": "in_progress",
        "content": {"content_type": "text", "parts": [""]}, "metadata": {"model_slug": "gpt-5"},
    }
    yield {"p": "", "o": "add", "v": {"message": message, "conversation_id": CONVERSATION}, "c": 0}
    for word in words():
        yield {"p": "/message/content/parts/0", "o": "append", "v": word}
    yield {"type": "message_stream_complete", "conversation_id": CONVERSATION}
    yield "[DONE]"


def chatgpt_files(request):
    """The blob store behind ChatGPT uploads. Another origin than the page's, so the browser asks leave first."""
    leave = {
        "access-control-allow-origin": "https://chatgpt.com",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "content-type,x-ms-blob-type,x-ms-version",
    }
    return Reply(status=200 if request.method == "OPTIONS" else 201, headers=leave, content_type="text/plain")


def claude(request):
    path = request.path
    if request.method == "GET":
        return {"/new": lambda: file("claude.html"), "/chat.js": lambda: file("chat.js")}.get(path, not_found)()
    if path.endswith("/chat_conversations"):
        return answer({"uuid": CONVERSATION, "name": "", "model": "claude-sonnet-4-6"}, status=201)
    if path.endswith("/completion"):
        head = {"type": "completion", "stop_reason": None, "model": "claude-sonnet-4-6"}
        return events(({**head, "completion": word} for word in words()), named=True)
    return not_found()


def gemini(request):
    if request.method == "GET":
        return {"/app": lambda: file("gemini.html"), "/chat.js": lambda: file("chat.js")}.get(request.path, not_found)()
    if request.path.endswith("/StreamGenerate"):
        inner = json.dumps([None, ["c_lab1", "r_lab1"], None, None, [["rc_lab1", [ANSWER]]]])
        chunk = json.dumps([["wrb.fr", None, inner]])
        body = f")]}}'\n\n{len(chunk)}\n{chunk}\n"
        return Reply(content_type="application/json; charset=utf-8", pieces=[body.encode()])
    return not_found()
