"""Every reason for which a change of a subscription is refused. As the ledger's refusals: nothing was changed."""

from __future__ import annotations

from credits.refusals import Refusal


class UnknownPlan(Refusal):
    status, code, title, stored = 404, "plan_not_found", "There is no such plan.", False


class UnknownSubscription(Refusal):
    status, code, title, stored = 404, "subscription_not_found", "There is no such subscription.", False


class PlanNotOffered(Refusal):
    """Nobody new may have the plan: it is no longer sold, or has no version yet."""

    code, title = "plan_not_offered", "The plan is not offered."


class PaymentDue(Refusal):
    """It is paid for first: ``checkout_url`` says where. The plan follows the payment by itself."""

    status, code, title, stored = 402, "payment_due", "A payment is due first.", False


class AlreadySubscribed(Refusal):
    """An account has one subscription. Upgrade or downgrade that one."""

    code, title = "already_subscribed", "The account has a subscription already."


class TrialNotOffered(Refusal):
    code, title = "trial_not_offered", "The plan cannot be tried."


class TrialUsed(Refusal):
    """An account tries once, whatever the plan."""

    code, title = "trial_used", "The account has had its trial."


class SamePlan(Refusal):
    code, title = "same_plan", "The subscription is on this plan already."


class NotAnUpgrade(Refusal):
    code, title = "not_an_upgrade", "The plan does not rank higher: downgrade to it."


class NotADowngrade(Refusal):
    code, title = "not_a_downgrade", "The plan does not rank lower: upgrade to it."


class SubscriptionEnded(Refusal):
    code, title = "subscription_ended", "The subscription has ended."


class NotNow(Refusal):
    """The subscription is in a state that does not allow it; the detail says what would."""

    code, title = "not_in_this_state", "The subscription's state does not allow it."


class NothingToResume(Refusal):
    code, title = "nothing_to_resume", "The subscription is neither paused nor about to end or change."
