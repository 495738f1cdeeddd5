from django.apps import AppConfig
from django.conf import settings

from billing.nudges import Nudger


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        """Let subscriptions know who collects payments, if anybody does; join the audit; hear of events; sum up."""
        from billing import checks, earned, offers  # noqa: PLC0415  # they need models, which must be there first
        from billing.services.claims import freeze_freed  # noqa: PLC0415
        from billing.subscriptions_provider import StripeProvider  # noqa: PLC0415
        from billing.tasks import nudge_news  # noqa: PLC0415
        from credits import disputed, listeners  # noqa: PLC0415
        from credits.services import overview  # noqa: PLC0415
        from subscriptions import providers  # noqa: PLC0415

        providers.register_collector(StripeProvider(), chosen=bool(settings.STRIPE_SECRET_KEY))
        checks.join_audit()
        offers.register()
        disputed.register(freeze_freed)
        overview.register("ahead", earned.AHEAD)
        listeners.register(Nudger(nudge_news))
