"""An HTTP server that answers as a test tells it to.

server.py FOLDER PORT [CERTIFICATE KEY]

It listens on 127.0.0.1, on any port if PORT is 0, and writes the port to FOLDER/port. The first
line of FOLDER/answers says how the next request is answered, and is removed; without one it is 200.
Each request becomes a line of JSON in FOLDER/requests, before it is answered.

    STATUS [TEXT]        that status, with that text
    STATUS to LOCATION   that redirect
    hang                 nothing, until the client leaves
    cut                  nothing, and the connection is closed
    slow                 200, and then a byte of the text now and then, until the client leaves
    huge                 200, and a text of a GiB; how much of it was sent is in FOLDER/sent
"""

import http.server
import json
import os
import ssl
import sys
import threading
import time

FOLDER = sys.argv[1]
GIB = 1 << 30
LOCK = threading.Lock()


def path(name):
    return os.path.join(FOLDER, name)


def next_answer():
    """How the next request is answered."""
    with open(path("answers"), encoding="utf-8") as file:
        first, _, rest = file.read().partition("\n")
    with open(path("answers.new"), "w", encoding="utf-8") as file:
        file.write(rest)
    os.rename(path("answers.new"), path("answers"))
    return first or "200"


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with LOCK:
            answer = next_answer()
            request = {
                "answer": answer,
                "at": time.time(),
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode(),
            }
            with open(path("requests"), "a", encoding="utf-8") as file:
                file.write(json.dumps(request) + "\n")
        self.close_connection = True
        try:
            self.answer(answer)
        except OSError:
            pass

    def answer(self, answer):
        word, _, text = answer.partition(" ")
        if word == "hang":
            self.rfile.read(1)
        elif word == "slow":
            self.head(200, {"content-length": "1000"})
            for _ in range(1000):
                self.wfile.write(b"x")
                time.sleep(0.2)
        elif word == "huge":
            self.head(200, {"content-length": str(GIB)})
            self.send_a_gib()
        elif word != "cut" and text.startswith("to "):
            self.head(int(word), {"location": text[3:], "content-length": "0"})
        elif word != "cut":
            self.head(int(word), {"content-length": str(len(text.encode()))})
            self.wfile.write(text.encode())

    def head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send_a_gib(self):
        sent, chunk = 0, b"y" * 65536
        try:
            while sent < GIB:
                self.wfile.write(chunk)
                sent += len(chunk)
        finally:
            with open(path("sent"), "w", encoding="utf-8") as file:
                file.write(str(sent))


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    # The handshake is made by the connection's thread, and not by the one that accepts.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
with open(path("port.new"), "w", encoding="utf-8") as file:
    file.write(str(server.server_port))
os.rename(path("port.new"), path("port"))
server.handle_error = lambda *_: None
server.serve_forever()
