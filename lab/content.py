"""The text inside a request: compression, forms, JSON and JSON in JSON, gRPC and WebSocket messages taken off."""

import base64
import gzip
import json
from urllib.parse import parse_qsl

from google.ai.generativelanguage_v1beta import GenerateContentRequest

from servers import grpc


def text_of(entry):
    """All text of a request of the servers' log, a value a line."""
    if "messages" in entry:
        return "\n".join(strings_of(base64.b64decode(message).decode()) for message in entry["messages"])
    body = base64.b64decode(entry["body"])
    headers = entry["headers"]
    if headers.get("content-type") == "application/grpc":
        calls = [GenerateContentRequest.deserialize(message) for message in grpc.messages(body)]
        return "\n".join(strings_of(GenerateContentRequest.to_json(call)) for call in calls)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    text = body.decode(errors="replace")
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "\n".join(strings_of(value) for _, value in parse_qsl(text))
    return strings_of(text)


def strings_of(text):
    """The text itself, or if it is JSON the strings and keys in it."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return "\n".join(walk(value))


def walk(value):
    if isinstance(value, str):
        yield strings_of(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)
    else:
        yield str(value)
