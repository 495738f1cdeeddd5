"""Django's PostgreSQL backend with a health check that costs no round trip."""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the socket, not the server, whether a kept connection still lives.

    A server that went away, restarted or ended the session has closed or written to an idle socket, so a readable one
    is not usable. Django's own check sends SELECT 1 before every request. A host that vanished without a word is left
    to TCP keep-alive and the statement's own error.
    """

    def is_usable(self) -> bool:
        """Tell whether the idle connection is open and has nothing unread."""
        connection: Any = self.connection
        if connection is None or connection.closed:
            return False
        poll = select.poll()
        poll.register(connection.pgconn.socket, select.POLLIN | select.POLLERR | select.POLLHUP)
        return not poll.poll(0)
