"""Messages as gRPC frames them in a body: a flag, four bytes of length, the message, compressed where the flag is set."""

import gzip

LENGTH_BYTES = 4


def frame(message):
    return b"\0" + len(message).to_bytes(LENGTH_BYTES) + message


def frames(body):
    """The flag and the message as it came, of each."""
    while body:
        end = 1 + LENGTH_BYTES + int.from_bytes(body[1 : 1 + LENGTH_BYTES])
        yield body[0], body[1 + LENGTH_BYTES : end]
        body = body[end:]


def messages(body):
    for compressed, message in frames(body):
        yield gzip.decompress(message) if compressed else message
