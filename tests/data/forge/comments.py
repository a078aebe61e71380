"""The comments of one merge request, as the APIs of Gitea and GitLab have them.

comments.py FOLDER

It listens on 127.0.0.1, and writes the port to FOLDER/port. FOLDER/comments.json has the comments.
Who writes one is `plans`, and the header must name the token `secret`.
"""

import http.server
import json
import os
import sys

FOLDER = sys.argv[1]
COMMENTS = os.path.join(FOLDER, "comments.json")


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    def log_message(self, *_):
        pass

    def handle_request(self):
        token = self.headers.get("authorization", self.headers.get("private-token", ""))
        if not token.endswith("secret"):
            return 401, None
        with open(COMMENTS, encoding="utf-8") as file:
            comments = json.load(file)
        path = self.path.partition("?")[0]
        if self.command == "GET" and path == "/comments":
            return 200, comments

        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        text = json.loads(body)["body"]
        if self.command == "POST" and path == "/comments":
            user = {"user": {"login": "plans"}, "author": {"username": "plans"}}
            comments.append({"id": len(comments) + 1, "body": text, **user})
        elif self.command in ("PATCH", "PUT") and path.startswith("/comment/"):
            comments[int(path.removeprefix("/comment/")) - 1]["body"] = text
        else:
            return 404, None
        with open(COMMENTS, "w", encoding="utf-8") as file:
            json.dump(comments, file)
        return 200, comments

    def do_GET(self):
        status, answer = self.handle_request()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    do_POST = do_PATCH = do_PUT = do_GET


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(os.path.join(FOLDER, "port.new"), "w", encoding="utf-8") as port:
    port.write(str(server.server_address[1]))
os.rename(os.path.join(FOLDER, "port.new"), os.path.join(FOLDER, "port"))
server.serve_forever()
