"""Bodies of requests: one whose length nobody said, and one that nobody read to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from credits.api.bodies import MOST_BODY

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Body:
    """A request's body, which knows how much of it was read."""

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._left = length

    @property
    def read_whole(self) -> bool:
        """Whether nothing is left to read."""
        return self._left <= 0

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes."""
        return self._counted(self._source.read(size), size)

    def readline(self, size: int = -1) -> bytes:
        """Return the next line, at most ``size`` bytes of it."""
        return self._counted(self._source.readline(size), 1)

    def _counted(self, part: bytes, wanted: int) -> bytes:
        # Less than was wanted is the end, whatever length was said.
        self._left = self._left - len(part) if 0 <= wanted <= len(part) else 0
        return part


def with_length(application: Application) -> Application:
    """Say a length where a body has none, because Django takes unsaid for none; and say when a connection ends.

    An amount that was not read is an amount that was not meant: a capture of a part would have been one of the whole.
    What is said is one byte over the largest body, and only where the server's input ends with the body. Nothing is
    read here: whoever has no key could keep a thread waiting for a body that never ends.

    A body that was not read, as of a request without a key, leaves the server nothing but to close the connection. A
    caller that is not told sends its next request into the void.
    """

    def application_with_length(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            environ["CONTENT_LENGTH"] = str(MOST_BODY + 1) if _may_have_a_body(environ) else "0"
        body = environ["wsgi.input"] = Body(environ["wsgi.input"], _said_length(environ))

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # Django's own development server reads the rest by itself, and lets no application speak of connections.
            ours = bool(environ.get("wsgi.input_terminated"))
            ends = ours and not body.read_whole and environ["SERVER_PROTOCOL"].startswith("HTTP/1")
            return start_response(status, [*headers, ("Connection", "close")] if ends else headers, *error)

        return application(environ, start)

    return application_with_length


def _may_have_a_body(environ: dict[str, Any]) -> bool:
    """Tell whether a body of unsaid length may follow: HTTP/1 says that it comes in chunks, HTTP/2 says nothing."""
    in_chunks = "HTTP_TRANSFER_ENCODING" in environ or environ["SERVER_PROTOCOL"].startswith("HTTP/2")
    return in_chunks and environ["REQUEST_METHOD"] not in {"GET", "HEAD"}


def _said_length(environ: dict[str, Any]) -> int:
    said = environ.get("CONTENT_LENGTH") or "0"
    return int(said) if said.isdecimal() else 0
