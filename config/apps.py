from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Florin"

    def ready(self) -> None:
        """Register the checks across settings, set up what operators see, and let migrate complete the schedule."""
        from config import checks, clock, logs, sign_ins, telemetry  # noqa: F401, PLC0415  # they need settings and models, which must be there

        logs.configure()
        telemetry.start()
        # Sent for the app whose table it is, since ours has no models, once everything has been migrated.
        post_migrate.connect(clock.keep_schedule, sender=apps.get_app_config("django_celery_beat"))
