#!/usr/bin/env python3
"""Uploads through Squid, with a patient at a random place of each, and tells how long they took.

usage: load.py PORT[,PORT…] ROUNDS CONCURRENT BYTES     each port in turn, ROUNDS times, CONCURRENT uploads at once
prints one line an upload: port, round, milliseconds, status (0: it failed)
"""
import asyncio
import random
import sys
import time

WORDS = "the ward asks for beds and linen on monday while rounds go on as planned in the north wing today ".split()


def filler(size, generator):
    """Harmless text."""
    words, length = [], 0
    while length < size:
        words.append(generator.choice(WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)[:size]


def body(text, generator):
    """A chat request of that text from a random place on; at another, a patient."""
    number = generator.randrange(10_000_000, 99_999_999)
    patient = f" Discharge summary. Patient MRN: {number}, diagnosis of heart failure. "
    begin, at = generator.randrange(len(text)), generator.randrange(len(text))
    text = text[begin:] + text[:begin]
    text = text[:at] + patient + text[at:]
    return ('{"model": "gpt-4o", "messages": [{"role": "user", "content": "' + text + '"}]}').encode()


async def upload(port, payload):
    began = time.perf_counter()
    status = 0
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (f"POST http://api.openai.com/v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\nConnection: close\r\n\r\n")
        writer.write(head.encode())
        for at in range(0, len(payload), 65536):
            writer.write(payload[at:at + 65536])
            await writer.drain()
        answer = await reader.read()
        status = int(answer.split(b" ", 2)[1]) if answer else 0
        writer.close()
    except OSError:
        pass
    return (time.perf_counter() - began) * 1000, status


async def main():
    ports, rounds, concurrent, size = sys.argv[1].split(","), *map(int, sys.argv[2:5])
    generator = random.Random(7)
    text = filler(size - 200, generator)
    payloads = [body(text, generator) for _ in range(concurrent)]
    for number in range(rounds):
        for port in ports if number % 2 == 0 else reversed(ports):
            for took, status in await asyncio.gather(*(upload(int(port), payload) for payload in payloads)):
                print(port, number, f"{took:.2f}", status)
            await asyncio.sleep(1)


asyncio.run(main())
