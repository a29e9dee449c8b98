"""Anthropic's Python SDK, one client and so one connection, doing one thing after the other.

usage: anthropic_sdk.py OPERATION:FILE…        operations: message stream document
"""

import sys
from pathlib import Path

from anthropic import Anthropic

KEY = "sk-ant-lab-invented-0000000000000000000000000000"
ASK = {"model": "claude-sonnet-4-6", "max_tokens": 1024, "system": "You write discharge letters for clinicians."}


def said(content):
    return [{"role": "user", "content": content}]


def message(client, file):
    client.messages.create(**ASK, messages=said(file.read_text()))


def stream(client, file):
    with client.messages.stream(**ASK, messages=said(file.read_text())) as events:
        for _ in events.text_stream:
            pass


def document(client, file):
    source = {"type": "text", "media_type": "text/plain", "data": file.read_text()}
    parts = [{"type": "document", "source": source, "title": file.name}, {"type": "text", "text": "Summarise this."}]
    client.messages.create(**ASK, messages=said(parts))


OPERATIONS = {call.__name__: call for call in (message, stream, document)}


def main():
    client = Anthropic(api_key=KEY, max_retries=0)
    for step in sys.argv[1:]:
        operation, file = step.split(":", 1)
        OPERATIONS[operation](client, Path(file))


if __name__ == "__main__":
    main()
