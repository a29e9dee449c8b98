"""The aioquic client: posts JSON files over HTTP/3, a connection each.

usage: aioquic_h3.py [--quic VERSIONS] URL FILE…

VERSIONS are 1, 2, 1to2, which begins with 1 and prefers 2, or unknown, which begins with one that no server knows.
"""

import argparse
import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import aioquic
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

KEY = "Bearer sk-lab-invented-0000000000000000000000000000"
AGENT = f"aioquic/{aioquic.__version__}"
V1, V2 = QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2
RESERVED = 0x1A2A3A4A  # RFC 9000, section 15: to exercise version negotiation
VERSIONS = {"1": (V1, [V1]), "2": (V2, [V2]), "1to2": (V1, [V2, V1]), "unknown": (RESERVED, [RESERVED, V1])}


class Client(QuicConnectionProtocol):
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.http = H3Connection(self._quic)
        self.answered = asyncio.get_running_loop().create_future()

    async def post(self, url, body):
        fields = {
            ":method": "POST", ":scheme": "https", ":authority": url.netloc, ":path": url.path, "authorization": KEY,
            "content-type": "application/json", "content-length": str(len(body)), "user-agent": AGENT,
        }
        stream = self._quic.get_next_available_stream_id()
        self.http.send_headers(stream, [(name.encode(), value.encode()) for name, value in fields.items()])
        self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        await self.answered

    def quic_event_received(self, event):
        for answer in self.http.handle_event(event):
            if isinstance(answer, (HeadersReceived, DataReceived)) and answer.stream_ended:
                self.answered.set_result(None)


async def run(options):
    url = urlsplit(options.url)
    original, supported = VERSIONS[options.quic]
    for file in options.files:
        settings = QuicConfiguration(alpn_protocols=H3_ALPN, original_version=original, supported_versions=supported)
        settings.load_verify_locations(os.environ["SSL_CERT_FILE"])
        async with connect(url.hostname, 443, configuration=settings, create_protocol=Client) as client:
            await client.post(url, file.read_bytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quic", choices=VERSIONS, default="1")
    parser.add_argument("url")
    parser.add_argument("files", type=Path, nargs="+")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
