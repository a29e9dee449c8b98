"""Serves every host of the lab from one process: HTTP/1.1 and HTTP/2, in the clear and over TLS, HTTP/3, WebSocket.

usage: python -m servers --hosts hosts.tsv --certificates DIR --log FILE

Each request is appended to FILE with its whole body, a WebSocket session with its messages when it ends: the record from
which truth.py tells what a capture holds.
"""

import argparse
import asyncio
import base64
import json
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config

from . import anthropic, generativelanguage, openai, sites, webchat, websocket
from .http import Request

HANDLERS = {
    "api.openai.com": openai.handle,
    "llm.example.net": openai.handle,
    "api.anthropic.com": anthropic.handle,
    "chatgpt.com": webchat.chatgpt,
    "files.oaiusercontent.com": webchat.chatgpt_files,
    "claude.ai": webchat.claude,
    "gemini.google.com": webchat.gemini,
    "generativelanguage.googleapis.com": generativelanguage.handle,
    "copilot.microsoft.com": sites.handle,
}


class Application:
    def __init__(self, log):
        self.log = log

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.live_as_long_as_the_server(receive, send)
        if scope["type"] == "websocket":
            session = Request.of(scope, b"")
            return self.note(entry(session, messages=await websocket.talk(session, receive, send)))
        request = await Request.read(scope, receive)
        self.note(entry(request))
        await HANDLERS.get(request.host, sites.handle)(request).write(send)

    def note(self, entry):
        self.log.write(json.dumps(entry) + "\n")
        self.log.flush()

    @staticmethod
    async def live_as_long_as_the_server(receive, send):
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


def entry(request, **more):
    return {
        "client": request.client,
        "host": request.host,
        "method": request.method,
        "path": request.target,
        "http_version": request.http_version,
        "headers": request.headers,
        "body": base64.b64encode(request.body).decode(),
        **more,
    }


class Settings(Config):
    """Hypercorn knows one certificate a server; the lab has one a name, chosen by the name the client asks for."""

    certificates: Path
    names: list

    def create_ssl_context(self):
        if not self.ssl_enabled:
            return None
        contexts = {name: self.context(name) for name in self.names}
        default = contexts[self.names[0]]

        def choose(connection, name, _):
            connection.context = contexts.get(name, default)

        default.sni_callback = choose
        self.use_certificate("quic")
        return default

    def context(self, name):
        self.use_certificate(name)
        return super().create_ssl_context()

    def use_certificate(self, name):
        self.certfile, self.keyfile = (str(self.certificates / f"{name}.{kind}") for kind in ("crt", "key"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=Path, required=True)
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()

    settings = Settings()
    hosts = [line.split() for line in options.hosts.read_text().splitlines() if line.startswith("server")]
    settings.names = [name for _, _, name in hosts]
    settings.certificates = options.certificates
    settings.use_certificate(settings.names[0])
    settings.bind = ["0.0.0.0:443"]
    # A datagram's answer must come from the address that was asked.
    settings.quic_bind = [f"{address}:443" for _, address, _ in hosts]
    settings.alt_svc_headers = ['h3=":443"; ma=86400']
    settings.insecure_bind = ["0.0.0.0:80", "0.0.0.0:11434"]
    settings.include_server_header = False
    settings.keep_alive_timeout = 30
    settings.graceful_timeout = 0.2
    with options.log.open("a") as log:
        asyncio.run(serve(Application(log), settings))


if __name__ == "__main__":
    main()
