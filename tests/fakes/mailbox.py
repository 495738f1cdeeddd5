"""A mail server that keeps what it is given: real SMTP on loopback, as far as a client needs it."""

from __future__ import annotations

import socketserver
import threading
from typing import Self


class Mailbox:
    """The server. ``letters`` are what came; ``refusing`` is the code with which it turns recipients away."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []
        self.refusing = 0
        self.server = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), type("Handler", (Handler,), {"mailbox": self})
        )  # fmt: skip
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Handler(socketserver.StreamRequestHandler):
    """Speaks SMTP with one client."""

    mailbox: Mailbox

    def handle(self) -> None:
        self._say("220 mailbox")
        while line := self.rfile.readline():
            match line.split()[0].upper():
                case b"EHLO" | b"HELO":
                    self._say("250 mailbox")
                case b"RCPT" if self.mailbox.refusing:
                    self._say(f"{self.mailbox.refusing} no")
                case b"DATA":
                    self._say("354 go on")
                    self.mailbox.letters.append(self._letter())
                    self._say("250 kept")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 well")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def _letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)
