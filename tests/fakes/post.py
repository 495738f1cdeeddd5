"""A post office: a real SMTP server on this machine, which keeps the letters that it is handed."""

from __future__ import annotations

import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import cast

ANSWERS = {b"DATA": b"354 Go on, and end with a dot\r\n", b"QUIT": b"221 Goodbye\r\n"}


class Counter(socketserver.StreamRequestHandler):
    """One conversation: only the letter itself matters."""

    def handle(self) -> None:
        self.wfile.write(b"220 post office\r\n")
        for line in self.rfile:
            word = line.strip().upper()
            self.wfile.write(ANSWERS.get(word, b"250 Good\r\n"))
            if word == b"QUIT":
                return
            if word == b"DATA":
                self._take()
                self.wfile.write(b"250 Taken\r\n")

    def _take(self) -> None:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        cast("Office", self.server).letters.append(letter)


class Office(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.letters: list[EmailMessage] = []


class PostOffice:
    """Open as long as the block. ``letters`` came in so far."""

    def __enter__(self) -> PostOffice:
        self.office = Office()
        self._thread = threading.Thread(target=self.office.serve_forever, name="post office", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.office.shutdown()
        self.office.server_close()
        self._thread.join()

    @property
    def letters(self) -> list[EmailMessage]:
        return self.office.letters

    @property
    def settings(self) -> dict[str, str]:
        """Return what points the service at it: the environment of a process."""
        return {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(self.office.server_address[1])}
