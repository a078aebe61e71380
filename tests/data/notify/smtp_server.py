"""An SMTP server for tests. It is aiosmtpd, and misbehaves as the file `behaviour` says.

Arguments: a folder and a port (0: any). The folder has ca.pem, server.pem and server.key, and gets
the file `port`, and for each mail a file `mail.N`, in JSON.

`behaviour` is JSON, read when the server starts:
  encryption   "starttls", "smtps" or "none"
  login        [user, password]: who does not log in sends nothing
  utf8         whether it has SMTPUTF8; true where it is not said
  commands     {"RCPT bob@x": ["450 later", ...]}: answers to commands, each once; the last one
               again and again. A command is MAIL, RCPT address or DATA; "ok" is the usual answer,
               "cut" closes the connection, and "keep and cut" does so after the mail was kept
  hang         whether it accepts connections and never says anything
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, port = sys.argv[1], int(sys.argv[2])
with open(os.path.join(folder, "behaviour")) as file:
    behaviour = json.load(file)
commands = behaviour.get("commands", {})


def write(name, value):
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


def keep(session, envelope):
    content = envelope.original_content
    message = email.message_from_bytes(content, policy=email.policy.default)
    number = sum(name.startswith("mail.") for name in os.listdir(folder))
    write(f"mail.{number}", {
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "encrypted": session.ssl is not None or behaviour["encryption"] == "smtps",
        "login": session.auth_data,
        "raw": content.decode("utf-8", "backslashreplace"),
        "headers": [[name, str(value)] for name, value in message.items()],
        "body": message.get_content().replace("\r\n", "\n"),
    })


class Handler:
    def answer(self, command):
        answers = commands.get(command, ["ok"])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        answer = self.answer("MAIL")
        return "250 OK" if answer == "ok" else answer

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answer(f"RCPT {address}")
        if answer != "ok":
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = self.answer("DATA")
        if answer in ("ok", "keep and cut"):
            keep(session, envelope)
        if answer in ("cut", "keep and cut"):
            server.transport.abort()
        return "250 taken" if answer == "ok" else answer


def check(server, session, envelope, mechanism, data):
    given = [data.login.decode(), data.password.decode()]
    if given != behaviour["login"]:
        # Some servers repeat what they were told.
        return AuthResult(success=False, handled=False, message=f"535 no: {given}")
    return AuthResult(success=True, auth_data=given[0])


def session():
    if behaviour.get("hang"):
        return asyncio.Protocol()
    return SMTP(
        Handler(),
        hostname="localhost",
        enable_SMTPUTF8=behaviour.get("utf8", True),
        tls_context=tls if behaviour["encryption"] == "starttls" else None,
        require_starttls=behaviour["encryption"] == "starttls",
        auth_required="login" in behaviour,
        authenticator=check if "login" in behaviour else None,
        loop=asyncio.get_running_loop(),
    )


async def serve():
    whole = tls if behaviour["encryption"] == "smtps" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", port, ssl=whole)
    write("port", server.sockets[0].getsockname()[1])
    await server.serve_forever()


tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
asyncio.run(serve())
