"""api.openai.com, and self-hosted servers that speak the same interface."""

import re

from .http import answer, events, not_found
from .text import ANSWER, words

CREATED = 1795300000


def handle(request):
    routes = {
        ("POST", "/v1/chat/completions"): chat,
        ("POST", "/v1/responses"): responses,
        ("POST", "/v1/embeddings"): embeddings,
        ("POST", "/v1/files"): upload,
        ("GET", "/v1/models"): models,
    }
    route = routes.get((request.method, request.path))
    return route(request) if route else not_found()


def chat(request):
    asked = request.json()
    head = {"id": "chatcmpl-lab0001", "created": CREATED, "model": asked["model"]}
    if asked.get("stream"):
        return events([chunk(head, delta) for delta in deltas()] + [chunk(head, {}, "stop"), "[DONE]"])
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 200, "completion_tokens": 40, "total_tokens": 240}
    completion = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    return answer(completion, **{"x-request-id": "req_lab1"})


def deltas():
    return [{"role": "assistant", "content": ""}] + [{"content": word} for word in words()]


def chunk(head, delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def responses(request):
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    message = {"type": "message", "id": "msg_lab1", "status": "completed", "role": "assistant", "content": [text]}
    return answer({
        "id": "resp_lab1", "object": "response", "created_at": CREATED, "status": "completed",
        "model": request.json()["model"], "output": [message], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [],
    })


def embeddings(request):
    asked = request.json()
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": i, "embedding": [0.01, -0.02, 0.03]} for i in range(len(inputs))]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return answer({"object": "list", "model": asked["model"], "data": data, "usage": usage})


def upload(request):
    name = re.search(rb'filename="([^"]*)"', request.body)
    purpose = re.search(rb'name="purpose"\r\n\r\n([^\r]*)', request.body)
    return answer({
        "id": "file-lab0001", "object": "file", "bytes": len(request.body), "created_at": CREATED, "status": "processed",
        "filename": name[1].decode() if name else "file", "purpose": purpose[1].decode() if purpose else "user_data",
    })


def models(_):
    names = ["gpt-5", "gpt-5-mini", "text-embedding-3-small"]
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "openai"} for name in names]
    return answer({"object": "list", "data": data})
