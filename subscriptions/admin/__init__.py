"""The back office of plans: what is sold, who has it, and how it came about. Read only, but for a plan's name."""

from subscriptions.admin import account_section, find, front, plans, subscriptions, verbs

__all__ = ["account_section", "find", "front", "plans", "subscriptions", "verbs"]
