"""The guestbook's web server: the standard library only.

    GET  /         the page
    POST /         adds the entry of the form field `entry`, then shows the page
    GET  /entries  all entries as JSON
    GET  /healthz  200 while Redis answers

It logs each request to a file that a sidecar reads. On SIGTERM it goes on serving for a moment, because the news that
it leaves takes time to reach every node, and ends when the last answer is sent.
"""

from __future__ import annotations

import html
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8080"))
LOG_FILE = os.environ.get("LOG_FILE", "/var/log/guestbook/access.log")
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "2"))
# Kubernetes tells each container the address of every Service in its namespace.
REDIS = (os.environ.get("REDIS_SERVICE_HOST", "127.0.0.1"), int(os.environ.get("REDIS_SERVICE_PORT", "6379")))
PASSWORD = os.environ.get("REDIS_PASSWORD", "")
VERSION = os.environ.get("GUESTBOOK_VERSION", "v1")
POD = os.environ.get("POD_NAME", socket.gethostname())
MAX_ENTRY = 1000
PAGE = """<!doctype html><title>Guestbook</title><h1>Guestbook {version}</h1>
<form method="post"><input name="entry" maxlength="{limit}" autofocus><button>Sign</button></form>
<ul>{entries}</ul><p>served by {pod}</p>
"""


def redis(*command: str) -> list[str]:
    """Send one command to Redis and return the strings of its answer (RESP2). Raises OSError."""
    with socket.create_connection(REDIS, timeout=2) as connection, connection.makefile("rb") as answer:
        if PASSWORD:
            connection.sendall(request("AUTH", PASSWORD))
            parse(answer)
        connection.sendall(request(*command))
        return parse(answer)


def request(*command: str) -> bytes:
    """A command as RESP2 writes it."""
    words = [word.encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def parse(answer) -> list[str]:
    """One RESP2 value as a list of strings. Raises OSError for an error or a broken connection."""
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise OSError("Redis closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"*":
        return [item for _ in range(int(rest)) for item in parse(answer)]
    if kind == b"$":
        return [answer.read(int(rest) + 2)[:-2].decode()] if int(rest) >= 0 else []
    if kind == b"-":
        raise OSError(rest.decode())
    return [rest.decode()]


class Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        try:
            if self.path == "/":
                self.page()
            elif self.path == "/entries":
                self.answer(200, "application/json", json.dumps(redis("LRANGE", "entries", "0", "-1")))
            elif self.path == "/healthz":
                redis("PING")
                self.answer(200, "text/plain", "ok\n")
            else:
                self.answer(404, "text/plain", "there is no such page\n")
        except OSError as error:
            self.answer(503, "text/plain", f"Redis: {error}\n")

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), 4 * MAX_ENTRY)
        form = urllib.parse.parse_qs(self.rfile.read(length).decode(errors="replace"))
        try:
            for entry in form.get("entry", [])[:1]:
                redis("LPUSH", "entries", entry[:MAX_ENTRY])
            self.page()
        except OSError as error:
            self.answer(503, "text/plain", f"Redis: {error}\n")

    def page(self) -> None:
        entries = "".join(f"<li>{html.escape(entry)}</li>" for entry in redis("LRANGE", "entries", "0", "99"))
        self.answer(
            200,
            "text/html; charset=utf-8",
            PAGE.format(version=VERSION, limit=MAX_ENTRY, entries=entries, pod=html.escape(POD)),
        )

    def answer(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, text: str, *arguments: object) -> None:
        with open(LOG_FILE, "a") as log:
            log.write(f"{self.log_date_time_string()} {self.client_address[0]} {text % arguments}\n")


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    os.makedirs(os.path.dirname(LOG_FILE), exist_ok=True)
    server = Server(("", PORT), Handler)

    def leave(*_: object) -> None:
        threading.Thread(target=lambda: (time.sleep(DRAIN_SECONDS), server.shutdown())).start()

    signal.signal(signal.SIGTERM, leave)
    print(f"guestbook {VERSION} on port {PORT}, Redis at {REDIS[0]}:{REDIS[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()  # waits for the answers under way
    print("guestbook ends", flush=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
