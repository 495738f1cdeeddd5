"""A receiver of webhooks to try them out with: python -m dev.receiver PORT SECRET [--keep].

Prints what comes once its signature is verified, and ends after the first event unless it is to be kept.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class Handler(BaseHTTPRequestHandler):
    secret = ""
    came = 0

    def do_POST(self) -> None:
        """Answer 204 to what the secret signed, and 400 to anything else."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            event = Webhook(self.secret).verify(body, dict(self.headers.items()))
        except WebhookVerificationError as error:
            print(f"Refused: {error}", flush=True)
            self.send_response_only(400)
        else:
            print(f"{event['type']}, signed as it should be: {json.dumps(event['data'])}", flush=True)
            Handler.came += 1
            self.send_response_only(204)
        self.end_headers()


def main() -> None:
    """Listen on loopback."""
    parser = argparse.ArgumentParser(description="Receives webhooks, verifies and prints them.")
    parser.add_argument("port", type=int)
    parser.add_argument("secret", help="The endpoint's signing secret, whsec_…")
    parser.add_argument("--keep", action="store_true", help="Go on after the first event.")
    asked = parser.parse_args()
    Handler.secret = asked.secret
    with HTTPServer(("127.0.0.1", asked.port), Handler) as server:
        while asked.keep or not Handler.came:
            server.handle_request()


if __name__ == "__main__":
    main()
