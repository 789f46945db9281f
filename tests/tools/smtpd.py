"""A mail server that does as it should, or at one step of its first conversations does not.

    smtpd.py [--at STEP --do WHAT [--times N]] [--tls CERT KEY] [--login USER PASSWORD]

STEP is ehlo, mail, rcpt or data; WHAT is hold (say nothing), close (hang up), 4xx or 5xx. At data the
message has been taken before that. Prints a line of JSON for its port, each step that it is at, and each
message that it has taken; ends with its standard input.
"""

import argparse
import asyncio
import base64
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self, at, do, times):
        self.at, self.do, self.left = at, do, times

    async def step(self, name, server):
        """What is answered in place of the usual, if anything."""
        say(step=name)
        if name != self.at or self.left == 0:
            return None
        self.left -= 1
        if self.do == "hold":
            await asyncio.sleep(3600)
        if self.do == "close":
            server.transport.abort()
            await asyncio.sleep(3600)
        return {"4xx": "451 later", "5xx": "550 never"}[self.do]

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        refused = await self.step("ehlo", server)
        return [refused] if refused else responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        refused = await self.step("mail", server)
        if refused:
            return refused
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refused = await self.step("rcpt", server)
        if refused:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        whole = self.do in ("hold", "close") or self.at != "data" or self.left == 0
        if whole:
            say(to=envelope.rcpt_tos, tls=session.ssl is not None, login=bool(session.authenticated),
                message=base64.b64encode(envelope.original_content).decode())
        return await self.step("data", server) or "250 OK"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--at")
    parser.add_argument("--do")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--login", nargs=2)
    args = parser.parse_args()
    handler = Handler(args.at, args.do, args.times)
    options = {}
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
        options.update(tls_context=context, require_starttls=True)
    if args.login:
        def right(server, session, envelope, mechanism, data):
            given = [data.login.decode(), data.password.decode()]
            return AuthResult(success=given == args.login, handled=False)
        options.update(authenticator=right, auth_required=True, auth_require_tls=bool(args.tls))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mail.test", enable_SMTPUTF8=False, loop=loop, **options),
        "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
