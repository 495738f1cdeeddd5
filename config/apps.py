from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Florin"

    def ready(self) -> None:
        """Register the checks across settings."""
        from config import checks  # noqa: F401, PLC0415  # checks read settings, which must be there first
