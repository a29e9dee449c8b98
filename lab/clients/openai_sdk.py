"""OpenAI's Python SDK, one client and so one connection, doing one thing after the other.

usage: openai_sdk.py [--base-url URL] OPERATION:FILE…        operations: chat stream responses embed upload realtime
"""

import argparse
from pathlib import Path

from openai import OpenAI

KEY = "sk-lab-invented-0000000000000000000000000000"
TASK = "You help the research office of a hospital. Answer in plain text."


def messages(text):
    return [{"role": "system", "content": TASK}, {"role": "user", "content": text}]


def chat(client, file):
    client.chat.completions.create(model="gpt-5-mini", messages=messages(file.read_text()))


def stream(client, file):
    for _ in client.chat.completions.create(model="gpt-5-mini", messages=messages(file.read_text()), stream=True):
        pass


def responses(client, file):
    client.responses.create(model="gpt-5", instructions=TASK, input=file.read_text())


def embed(client, file):
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    client.embeddings.create(model="text-embedding-3-small", input=lines)


def upload(client, file):
    with file.open("rb") as document:
        client.files.create(file=document, purpose="user_data")


def realtime(client, file):
    with client.realtime.connect(model="gpt-realtime") as session:
        session.session.update(session={"type": "realtime", "instructions": TASK, "output_modalities": ["text"]})
        content = [{"type": "input_text", "text": file.read_text()}]
        session.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        session.response.create()
        for event in session:
            if event.type == "response.done":
                break


OPERATIONS = {call.__name__: call for call in (chat, stream, responses, embed, upload, realtime)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url")
    parser.add_argument("steps", nargs="+")
    options = parser.parse_args()
    client = OpenAI(api_key=KEY, base_url=options.base_url, max_retries=0)
    for step in options.steps:
        operation, file = step.split(":", 1)
        OPERATIONS[operation](client, Path(file))


if __name__ == "__main__":
    main()
