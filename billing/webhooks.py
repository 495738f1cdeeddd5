"""Where the payment provider tells what happened: verified, stored and answered at once; processed by a worker."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.providers import stripe
from billing.providers.stripe_events import read_event
from billing.services.inbox import store_event
from billing.tasks import nudge
from credits.refusals import Refusal

log = logging.getLogger(__name__)

# The largest event of the provider's is far smaller.
MOST_BYTES = 512 * 1024


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take a webhook in. 400 where it is not the provider's, or of the other mode; else 200, also for a known one.

    Nothing is believed of it but what to look at.
    """
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return _refused(413, "payload_too_large")
    try:
        header = request.headers.get("Stripe-Signature", "")
        raw = stripe.verify(request.body, header, settings.STRIPE_WEBHOOK_SECRET, timezone.now())
        event = read_event(raw)
        mode = stripe.client().livemode
    except Refusal as refusal:
        log.warning("A webhook was refused: %s", refusal.detail)
        return _refused(refusal.status, refusal.code)
    if event.livemode != mode:
        log.error("A webhook of the other mode came: %s. Check STRIPE_SECRET_KEY and the endpoint", event.id)
        return _refused(400, "wrong_mode")
    with transaction.atomic():
        new = store_event(event)
        transaction.on_commit(nudge)
    return JsonResponse({"received": True, "new": new})


def _refused(status: int, code: str) -> HttpResponse:
    return JsonResponse({"code": code}, status=status)
