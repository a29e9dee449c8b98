"""What a handler takes and gives: a whole Request, and a Reply that is one body or a stream of pieces."""

import asyncio
import gzip
import json
from dataclasses import dataclass, field

# Language models answer a few words at a time; so the pieces of a stream are sent apart.
PAUSE_BETWEEN_PIECES = 0.02


@dataclass
class Request:
    client: str
    host: str
    method: str
    target: str
    http_version: str
    headers: dict
    body: bytes

    @classmethod
    async def read(cls, scope, receive):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return cls.of(scope, body)

    @classmethod
    def of(cls, scope, body):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        host = headers.get("host") or headers.get(":authority", "")
        return cls(
            client=scope["client"][0],
            host=host.split(":")[0],
            method=scope.get("method", "GET"),
            target=scope["raw_path"].decode().split("?")[0] + ("?" + query if query else ""),
            http_version=scope["http_version"],
            headers=headers,
            body=body,
        )

    @property
    def path(self):
        return self.target.split("?")[0]

    def json(self):
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body or b"{}")


@dataclass
class Reply:
    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: dict = field(default_factory=dict)
    pieces: list = None
    trailers: dict = None

    async def write(self, send):
        headers = {"content-type": self.content_type, "cache-control": "no-store", **self.headers}
        if self.pieces is None:
            headers["content-length"] = str(len(self.body))
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        trailed = self.trailers is not None
        await send({"type": "http.response.start", "status": self.status, "headers": encoded, "trailers": trailed})
        for piece in self.pieces or []:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(PAUSE_BETWEEN_PIECES)
        await send({"type": "http.response.body", "body": self.body})
        if trailed:
            last = [(name.encode(), value.encode()) for name, value in self.trailers.items()]
            await send({"type": "http.response.trailers", "headers": last})


def answer(value, status=200, **headers):
    return Reply(json.dumps(value).encode(), status=status, headers=headers)


def page(html):
    return Reply(html, "text/html; charset=utf-8")


def events(values, named=False):
    """Server-sent events; `named` ones repeat the value's type on a line of its own, as Anthropic's do."""
    pieces = []
    for value in values:
        text = value if isinstance(value, str) else json.dumps(value)
        head = f"event: {value['type']}\n" if named else ""
        pieces.append(f"{head}data: {text}\n\n".encode())
    return Reply(content_type="text/event-stream; charset=utf-8", pieces=pieces)


def not_found():
    return answer({"error": {"message": "Not found", "type": "invalid_request_error"}}, status=404)
