"""api.anthropic.com: the Messages interface, whole and streamed, and file upload."""

from .http import answer, events, not_found
from .text import ANSWER, words

USAGE = {"input_tokens": 210, "output_tokens": 45}


def handle(request):
    if request.method == "POST" and request.path == "/v1/messages":
        return messages(request)
    if request.method == "POST" and request.path == "/v1/files":
        return upload()
    return not_found()


def messages(request):
    asked = request.json()
    message = {
        "id": "msg_lab1", "type": "message", "role": "assistant", "model": asked["model"], "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": USAGE,
    }
    if asked.get("stream"):
        return events(stream(message), named=True)
    message |= {"content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn"}
    return answer(message, **{"request-id": "req_lab1"})


def stream(message):
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in words():
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}
    yield {"type": "message_stop"}


def upload():
    return answer({
        "id": "file_lab1", "type": "file", "filename": "document.txt", "mime_type": "text/plain", "size_bytes": 1,
        "created_at": "2026-11-21T00:00:00Z", "downloadable": False,
    })
