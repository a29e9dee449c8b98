"""Drives a real headless Chromium: opens a chat page, types each prompt, presses Enter and waits for the answer.

usage: browser.py [--file FILE] [--keys FILE] [--proxy URL] [--quic] URL [PROMPT…]

Without prompts it opens the page and leaves. It speaks Chromium's debugging protocol over a pipe, so
that nothing but the page's own requests is on the network.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

# Chromium reads commands from descriptor 3 and writes answers to 4; bash puts our pipes there.
COMMAND = (
    'exec chromium "$@" --headless --no-sandbox --disable-gpu --no-first-run '
    "--disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe "
    "3<&$COMMANDS 4>&$ANSWERS 2>/dev/null"
)
PATIENCE_SECONDS = 60


class Browser:
    def __init__(self, arguments):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", COMMAND, "bash", *arguments],
            pass_fds=(commands, answers),
            env={**os.environ, "COMMANDS": str(commands), "ANSWERS": str(answers)},
        )
        os.close(commands)
        os.close(answers)
        self.last_id, self.session, self.unread = 0, None, b""

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.last_id:
                return answer["result"]

    def read(self):
        while b"\0" not in self.unread:
            piece = os.read(self.answers, 65536)
            if not piece:
                raise SystemExit("browser.py: Chromium ended early")
            self.unread += piece
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.wait_for("document.readyState === 'complete' && location.protocol === 'https:'")

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                raise SystemExit(f"browser.py: never became true: {expression}")
            time.sleep(0.05)

    def attach(self, file):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        field = self.call("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=field, files=[str(file.resolve())])

    def ask(self, text, turn):
        self.evaluate("document.querySelector('textarea').focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)
        self.wait_for(f"document.title === 'done {turn}'")

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(PATIENCE_SECONDS)


def proxy_script(options):
    """Only the site goes through the proxy: the browser's own calls home would go into the capture."""
    site = urlsplit(options.url).hostname
    proxy = urlsplit(options.proxy)
    kind = "SOCKS5" if proxy.scheme == "socks5" else "PROXY"
    return f"function FindProxyForURL(url, host) {{ return host === '{site}' ? '{kind} {proxy.netloc}' : 'DIRECT'; }}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path, help="document to attach to the first prompt")
    parser.add_argument("--keys", type=Path, help="where to write the TLS secrets")
    parser.add_argument("--proxy", help="explicit proxy, http:// or socks5://")
    parser.add_argument("--quic", action="store_true", help="speak HTTP/3 with the site from the first connection on")
    parser.add_argument("url")
    parser.add_argument("prompts", type=Path, nargs="*")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = [f"--user-data-dir={profile}"]
        arguments += [f"--ssl-key-log-file={options.keys}"] if options.keys else []
        arguments += [f"--proxy-pac-url=data:text/plain,{proxy_script(options)}"] if options.proxy else []
        # Of a forced origin, Chromium takes a certificate by an authority that was installed.
        site = urlsplit(options.url).hostname
        arguments += [f"--origin-to-force-quic-on={site}:443"] if options.quic else ["--disable-quic"]
        browser = Browser(arguments)
        browser.open(options.url)
        if options.file:
            browser.attach(options.file)
        for turn, prompt in enumerate(options.prompts, 1):
            browser.ask(prompt.read_text(), turn)
        browser.close()


if __name__ == "__main__":
    main()
