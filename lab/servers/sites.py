"""Harmless sites: a news page, a file store, an update server, the hospital's intranet."""

import struct
import zlib

from .http import Reply, answer, not_found, page

NEWS = (
    b'<!doctype html><html lang=en><head><title>Example News</title><link rel=icon href="data:,">'
    b'<link rel=stylesheet href="https://cdn.example.net/site.css"></head><body><h1>Example News</h1>'
    b"<p>The city council voted on Tuesday to extend the tram line to the harbour.</p>"
    b'<img src="https://cdn.example.net/tram.png" alt="A tram"></body></html>'
)
INTRANET = b"<!doctype html><html lang=en><title>Intranet</title><h1>Canteen</h1><p>Today: lentil soup.</p></html>"


def handle(request):
    if request.host == "www.example.org" and request.path == "/":
        return page(NEWS)
    if request.host == "cdn.example.net":
        return cdn(request)
    if request.host == "updates.example.com":
        return answer({"product": "ct-console", "latest": "4.12.0-rc.2", "download": None})
    if request.host == "intranet.hospital.example":
        return page(INTRANET) if request.method == "GET" else answer({"status": "stored"}, status=201)
    return not_found()


def cdn(request):
    if request.path.endswith(".css"):
        return Reply(b"body { font-family: sans-serif; max-width: 60ch; margin: auto }\n", "text/css")
    if request.path.endswith(".bin"):
        # Bytes of all values in a fixed order: nothing in them can be taken for text.
        return Reply(bytes(i * i % 251 for i in range(48 * 1024)), "application/octet-stream")
    return Reply(grey_png(64, 48), "image/png")


def grey_png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
