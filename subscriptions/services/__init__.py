"""The only writers of plans and subscriptions. One verb a function; the account's lock first, then the subscription."""
