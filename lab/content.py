"""The text inside a request body: compression, forms, JSON and JSON in JSON taken off."""

import base64
import gzip
import json
from urllib.parse import parse_qsl


def text_of(entry):
    """All text of a request of the servers' log, a value a line."""
    body = base64.b64decode(entry["body"])
    headers = entry["headers"]
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
