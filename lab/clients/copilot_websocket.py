"""The `websockets` client in one session with Copilot: a message a file, compressed as it does by default.

usage: copilot_websocket.py [--fragments NUMBER] [--uncompressed] FILE…

With --fragments every message is sent in so many frames; uncompressed ones have pings between them (wsproto, the
server's, takes no compressed message that is interrupted).
"""

import argparse
import json
from pathlib import Path

from websockets.sync.client import connect

URL = "wss://copilot.microsoft.com/c/api/chat?api-version=2"
CONVERSATION = "LabConversation00000001"


def message(text):
    content = [{"type": "text", "text": text}]
    head = {"event": "send", "conversationId": CONVERSATION}
    return json.dumps({**head, "content": content, "mode": "chat", "context": {}})


def fragments(session, text, options):
    size = -(-len(text) // options.fragments)
    for start in range(0, len(text), size):
        if start and options.uncompressed:
            session.ping()
        yield text[start : start + size]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fragments", type=int, default=1)
    parser.add_argument("--uncompressed", action="store_true")
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    compression = None if options.uncompressed else "deflate"
    with connect(URL, origin="https://copilot.microsoft.com", compression=compression) as session:
        session.send(json.dumps({"event": "setOptions", "supportedCards": [], "ads": None}))
        for file in options.files:
            text = message(file.read_text())
            session.send(fragments(session, text, options) if options.fragments > 1 else text)
            while json.loads(session.recv())["event"] != "done":
                pass


if __name__ == "__main__":
    main()
