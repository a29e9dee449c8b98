"""Google's generativelanguage client over gRPC, on one connection without TLS, as a decrypting mirror carries it.

usage: generativelanguage_grpc.py [--gzip] OPERATION:FILE…        operations: generate stream
"""

import argparse
from pathlib import Path

import grpc
from google.ai.generativelanguage_v1beta import GenerativeServiceClient
from google.ai.generativelanguage_v1beta.services.generative_service.transports import GenerativeServiceGrpcTransport

HOST = "generativelanguage.googleapis.com"
KEY = [("x-goog-api-key", "AIza-lab-invented-00000000000000000000")]
TASK = "You help the wards of a hospital. Answer in plain text."


def said(file):
    return {
        "model": "models/gemini-2.5-flash",
        "system_instruction": {"parts": [{"text": TASK}]},
        "contents": [{"role": "user", "parts": [{"text": file.read_text()}]}],
        "generation_config": {"temperature": 0.2, "max_output_tokens": 1024},
    }


def generate(client, file):
    client.generate_content(said(file), metadata=KEY)


def stream(client, file):
    for _ in client.stream_generate_content(said(file), metadata=KEY):
        pass


OPERATIONS = {call.__name__: call for call in (generate, stream)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gzip", action="store_true", help="compress the messages")
    parser.add_argument("steps", nargs="+")
    options = parser.parse_args()
    compression = grpc.Compression.Gzip if options.gzip else grpc.Compression.NoCompression
    with grpc.insecure_channel(f"{HOST}:443", compression=compression) as channel:
        client = GenerativeServiceClient(transport=GenerativeServiceGrpcTransport(host=HOST, channel=channel))
        for step in options.steps:
            operation, file = step.split(":", 1)
            OPERATIONS[operation](client, Path(file))


if __name__ == "__main__":
    main()
