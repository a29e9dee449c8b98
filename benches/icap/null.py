#!/usr/bin/env python3
"""A null ICAP server (RFC 3507): sends every message back as it comes, and looks at nothing.

usage: null.py ADDRESS PORT PREVIEW      PREVIEW: bytes of a body that clients show before they wait for an answer
"""
import asyncio
import sys

ADDRESS, PORT, PREVIEW = sys.argv[1:]
OPTIONS = ("ICAP/1.0 200 OK\r\nMethods: {}\r\nService: null\r\nISTag: \"null\"\r\nEncapsulated: null-body=0\r\n"
           "Max-Connections: 1000\r\nOptions-TTL: 3600\r\nAllow: 204\r\nPreview: {}\r\nTransfer-Preview: *\r\n\r\n")
UNCHANGED = b"ICAP/1.0 204 No Content\r\nISTag: \"null\"\r\nEncapsulated: null-body=0\r\n\r\n"
CONTINUE = b"ICAP/1.0 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads as far as an answer needs: heads, sizes of chunks, ends."""

    def connection_made(self, transport):
        self.transport = transport
        self.data = bytearray()
        self.left = 0
        self.step = self.head

    def data_received(self, data):
        self.data += data
        while self.step():
            pass

    def take(self, length):
        taken = bytes(self.data[:length])
        del self.data[:length]
        return taken

    def head(self):
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self.take(end + 4).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if lines[0].startswith("OPTIONS"):
            method = "RESPMOD" if lines[0].split()[1].endswith("respmod") else "REQMOD"
            self.transport.write(OPTIONS.format(method, PREVIEW).encode())
            return True
        sections = [section.strip().split("=") for section in headers["encapsulated"].split(",")]
        self.kind, self.left = sections[-1][0], int(sections[-1][1])
        # The answer to a response holds no request.
        answered = [section for section in sections if lines[0].startswith("REQMOD") or section[0] != "req-hdr"]
        self.skipped = int(answered[0][1])
        self.sections = ", ".join(f"{name}={int(offset) - self.skipped}" for name, offset in answered)
        self.in_preview = "preview" in headers
        self.at_end = "204" in headers.get("allow", "").replace(" ", "").split(",")
        self.held = None
        if not self.at_end:
            self.held = [] if self.in_preview else None
            if self.held is None:
                self.begin()
        self.step = self.headers
        return True

    def begin(self):
        self.transport.write(f"ICAP/1.0 200 OK\r\nISTag: \"null\"\r\nEncapsulated: {self.sections}\r\n\r\n".encode())

    def give(self, data):
        if self.held is not None:
            self.held.append(data)
        elif not self.at_end:
            self.transport.write(data)

    def headers(self):
        if len(self.data) < self.left:
            return False
        self.give(self.take(self.left)[self.skipped:])
        if self.kind == "null-body":
            return self.finish()
        self.step = self.size
        return True

    def size(self):
        end = self.data.find(b"\r\n")
        if end < 0:
            return False
        line = self.data[:end].decode()
        size = int(line.split(";")[0], 16)
        if size:
            self.give(self.take(end + 2))
            self.left = size + 2
            self.step = self.chunk
            return True
        if len(self.data) < end + 4:
            return False
        last = self.take(end + 4)
        if self.in_preview and "ieof" not in line:
            self.in_preview = False
            self.transport.write(CONTINUE)
            if self.held is not None:
                held, self.held = self.held, None
                self.begin()
                self.transport.write(b"".join(held))
            return True
        if self.held is None and not self.at_end:
            self.transport.write(last)
        return self.finish()

    def chunk(self):
        taken = self.take(min(self.left, len(self.data)))
        self.left -= len(taken)
        self.give(taken)
        if self.left:
            return False
        self.step = self.size
        return True

    def finish(self):
        if self.held is not None or self.at_end:
            self.transport.write(UNCHANGED)
        self.step = self.head
        return True


async def main():
    server = await asyncio.get_running_loop().create_server(Connection, ADDRESS, PORT)
    await server.serve_forever()


asyncio.run(main())
