from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"
    verbose_name = "Plans and subscriptions"

    def ready(self) -> None:
        """Let the audit of the books ask this app's questions too."""
        from subscriptions import checks  # noqa: PLC0415  # checks read models, which must be there first

        checks.join_audit()
