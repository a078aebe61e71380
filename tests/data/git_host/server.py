"""A git host over HTTP, which answers as a test tells it to.

server.py FOLDER REPOSITORIES [CERTIFICATE KEY]

It listens on 127.0.0.1 and writes its port to FOLDER/port. Each request becomes a line in
FOLDER/requests. The file FOLDER/mode says how requests are answered:

    git                  by git http-backend, for the repositories
    login USER:PASSWORD  the same, for who knows them
    to URL               by a redirect to the same path at that URL
    hang                 not at all, until the client leaves
    slow                 by a byte now and then, until the client leaves
    rubbish              by 200 and bytes that are no answer of git
"""

import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading
import time

FOLDER, REPOSITORIES = sys.argv[1:3]


def path(name):
    return os.path.join(FOLDER, name)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        length = self.headers.get("content-length")
        if length is None and self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length or 0))
        with open(path("requests"), "a", encoding="utf-8") as file:
            file.write(f"{self.command} {self.path}\n")
        with open(path("mode"), encoding="utf-8") as file:
            mode, _, detail = file.read().strip().partition(" ")

        if mode == "login":
            wanted = "Basic " + base64.b64encode(detail.encode()).decode()
            if self.headers.get("authorization") != wanted:
                self.answer(401, [("www-authenticate", 'Basic realm="git"')])
                return
        if mode == "to":
            self.answer(302, [("location", detail + self.path)])
        elif mode in ("hang", "slow"):
            self.until_the_client_leaves(mode == "slow")
        elif mode == "rubbish":
            self.answer(200, [("content-type", "text/plain")], b"\x1b[2J\0rubbish\n" * 100)
        else:
            self.by_git(body)

    do_POST = do_GET

    def until_the_client_leaves(self, is_slow):
        if is_slow:
            self.send_response(200)
            self.send_header("content-type", "application/x-git-upload-pack-advertisement")
            self.end_headers()
        self.connection.settimeout(0.2)
        while True:
            try:
                if is_slow:
                    self.wfile.write(b"0")
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def by_git(self, body):
        file, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": REPOSITORIES,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "PATH_INFO": file,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        for name in ("content-encoding", "git-protocol"):
            if name in self.headers:
                key = "HTTP_" + name.upper().replace("-", "_")
                environment[key] = self.headers[name]
        if "git-protocol" in self.headers:
            environment["GIT_PROTOCOL"] = self.headers["git-protocol"]
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        self.answer(status, headers, body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    with open(path("port.new"), "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.rename(path("port.new"), path("port"))

    def end_with_the_test():
        while os.getppid() != 1 and os.path.isdir(FOLDER):
            time.sleep(0.2)
        os._exit(0)

    threading.Thread(target=end_with_the_test, daemon=True).start()
    server.serve_forever()


main()
