"""Every page opens, for those who may, says what it should, and costs the same however much there is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits.admin.accounts import BY_PATH
from credits.models import Account, ApiKey, Feature, Grant, Hold, Price, Transaction, UnpricedUsage
from credits.plan import Actor, Memo
from credits.plan.state import QuotaKey
from credits.services import accounts, corrections, movements, prices, quotas
from credits.services.allotments import Order, start_allotment
from credits.services.keys import create_api_key
from credits.services.transfers import transfer_credits
from tests.admin.conftest import Desk, text
from tests.conftest import Api
from tests.factories import charge, give, hold, make_account, memo, price, spend, unpriced

LISTS = (
    *("account", "transaction", "grant", "hold", "unit", "apikey", "taskrun"),
    *("feature", "price", "unpricedusage"),
)
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def lively(alice: Account, bob: Account) -> Account:
    """An account with something of everything."""
    give(alice, 50, expires_at=timezone.now() + timedelta(days=3))
    spent = spend(alice, 30, feature="api-call", description="Thirty calls", reference_type="call", reference_id="c-1")
    corrections.refund_transaction(transaction=spent.id, amount=Decimal(10), memo=memo())
    hold(alice, 20, description="Long run")
    transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(5), memo=memo())
    staff = Actor("staff", "1", "carol")
    because = Memo(staff, reason="goodwill", description="Sorry", metadata={"ticket": "SUP-1"})
    movements.adjust_balance(account=alice.pk, delta=Decimal(7), memo=because)
    create_api_key(name="web-prod", scopes=["credits:read"])
    price("ml-analysis", "per_unit", per=2)
    charge(alice, quantity=Decimal(3))
    unpriced(alice, charged=1)
    return alice


class TestAMovement:
    def test_offers_its_refund_while_something_is_left(self, dave: Desk, eve: Desk, alice: Account) -> None:
        give(alice, 50)
        spent = spend(alice, 30)
        page = f"credits/transaction/{spent.id}/change/"
        offered = f"/admin/credits/account/{alice.pk}/refund/?movement={spent.id}"
        looking = Desk("vera", "view_transaction")

        assert offered in text(dave.get(page))
        assert offered not in text(looking.get(page))
        corrections.refund_transaction(transaction=spent.id, amount=None, memo=memo())
        assert offered not in text(dave.get(page))

    def test_tells_its_second_and_its_key(self, dave: Desk, api: Api, alice: Account) -> None:
        give(alice, 50)
        key = {"Idempotency-Key": "order-7/1"}
        assert api.post("/api/v1/accounts/alice@example.com/debits", {"amount": 5}, **key).status_code == 201
        row = alice.transactions.latest("sequence")

        page = text(dave.get(f"credits/transaction/{row.pk}/change/"))

        assert "data-exactly" in page.split("Double entry")[0]
        assert "key=order-7%2F1" in page
        assert row.request_id in page


class TestEveryPageOpens:
    @pytest.mark.parametrize("model", LISTS)
    def test_each_list(self, dave: Desk, lively: Account, model: str) -> None:
        assert dave.get(f"credits/{model}/").status_code == 200

    @pytest.mark.parametrize("model", [Transaction, Grant, Hold, Account, ApiKey, Feature, Price, UnpricedUsage])
    def test_each_row(self, dave: Desk, lively: Account, model: Any) -> None:
        for row in model.objects.all():
            page = dave.get(f"credits/{model._meta.model_name}/{row.pk}/change/")
            assert page.status_code == 200
            assert dave.get(f"credits/{model._meta.model_name}/{row.pk}/history/").status_code == 200

    @pytest.mark.parametrize("verb", sorted(BY_PATH))
    def test_each_form(self, dave: Desk, lively: Account, verb: str) -> None:
        assert dave.get(f"credits/account/{lively.pk}/{verb}/").status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "credits/",
            "auth/user/",
            "auth/user/add/",
            "auth/group/",
            "auth/group/add/",
            "password_change/",
            "credits/unit/add/",
            "credits/unit/USD/change/",
            "credits/apikey/add/",
            "credits/feature/add/",
            "credits/price/new/",
            "credits/price/import/",
            "credits/unpricedusage/rate-all/",
        ],
    )
    def test_the_rest(self, dave: Desk, path: str) -> None:
        assert dave.get(path).status_code == 200

    @pytest.mark.parametrize(
        "query",
        [
            "account/?status__exact=frozen",
            "account/?unit__code__exact=USD",
            "account/?condition=held",
            "account/?condition=debt",
            "account/?condition=overdrawn",
            "account/?condition=empty",
            "account/?q=%00",
            "account/?p=999",
            "transaction/?kind__exact=usage",
            "transaction/?counterparty__exact=usage",
            "transaction/?account__unit__code__exact=credits",
            "transaction/?account=alice@example.com",
            "transaction/?account=nobody%00",
            "transaction/?recorded_at_from=2020-01-01&recorded_at_to=2090-01-01",
            "transaction/?recorded_at_from=nonsense&recorded_at_to=0001-01-01",
            "grant/?is_open__exact=1&category__exact=paid",
            "grant/?expires_at_from=2020-01-01",
            "hold/?status__exact=open",
            "hold/?q=nonsense",
            "apikey/?state=active",
            "apikey/?state=revoked",
            "apikey/?state=expired",
            "taskrun/?runs=all",
            "taskrun/?runs=failed&started_at_from=2020-01-01",
            "taskrun/?q=%00",
            "price/?state=now&of=feature",
            "price/?state=later&of=model",
            "price/?state=past&unit__code__exact=USD&scheme__exact=tokens",
            "price/?feature__exact=ml-analysis",
            "price/?q=ml",
            "feature/?q=ml",
            "unpricedusage/?status__exact=open&account=alice@example.com",
            "unpricedusage/?q=gpt",
        ],
    )
    def test_each_filter(self, dave: Desk, lively: Account, query: str) -> None:
        answer = dave.client.get(f"/admin/credits/{query}", follow=True)

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "page",
        [
            "credits/transaction/?kind__exact=%00",
            "credits/grant/?category__exact=%00&%00=1",
            "credits/unit/?code=%00",
            "credits/staffcap/?role=%00",
            "subscriptions/plan/?code=%00",
            "billing/pack/?code=%00",
            "auth/user/?username=%00",
            "django_celery_beat/periodictask/?name=%00",
        ],
    )
    def test_a_character_that_no_text_has_is_refused_in_each_list(self, dave: Desk, lively: Account, page: str) -> None:
        answer = dave.client.get(f"/admin/{page}&p=1", follow=True)

        assert answer.redirect_chain == [(f"/admin/{page.partition('?')[0]}?p=1", 302)]
        assert answer.status_code == 200
        assert "A filter held a character that no text has" in text(answer)

    def test_past_the_last_page_is_the_last_with_its_filters(self, dave: Desk, alice: Account) -> None:
        for _ in range(51):
            spend(alice, 1)

        for number, shown in (("999999", 1), ("-5", 50), ("x", 50), ("2", 1)):
            page = dave.get(f"credits/transaction/?kind__exact=usage&p={number}")
            assert page.status_code == 200
            listed = page.context["cl"]
            assert (len(listed.result_list), listed.result_count) == (shown, 51), number

    def test_nobody_gets_in_without_logging_in(self, lively: Account) -> None:
        for path in (*LISTS, f"account/{lively.pk}/change", f"account/{lively.pk}/adjust"):
            answer = Client().get(f"/admin/credits/{path}/")
            assert answer["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize("pk", ["nonsense", "6f0e3a52-8a5f-5c7e-9a53-0d3c1f6b7a10"])
    def test_an_account_that_is_not_there_is_said_not_to_be(self, dave: Desk, pk: str) -> None:
        assert dave.get(f"credits/account/{pk}/change/").status_code == 302
        assert dave.get(f"credits/account/{pk}/adjust/").status_code == 404

    def test_nothing_is_loaded_from_elsewhere(self, dave: Desk, lively: Account) -> None:
        page = text(dave.get(f"credits/account/{lively.pk}/change/"))

        assert 'src="http' not in page
        assert 'href="http' not in page


class TestTheAccountPage:
    def test_tells_where_it_stands_and_why(self, dave: Desk, lively: Account) -> None:
        page = dave.get(f"credits/account/{lively.pk}/change/")

        figures = {figure.label: figure.text for figure in page.context["figures"]}
        assert figures["Balance"] == "125"
        assert figures["Available"] == "105"
        assert figures["Held"] == "20"
        for words in (
            "Thirty calls",
            "api-call",
            "SUP-1",
            "Goodwill",
            "carol of staff",
            "reference call c-1",
            "Long run",
        ):
            assert words in text(page)

    def test_counts_no_credits_that_have_lapsed(self, dave: Desk, bob: Account) -> None:
        past = timezone.now() - timedelta(days=2)
        give(bob, 40, expires_at=past + timedelta(days=1), at=past)

        page = dave.get(f"credits/account/{bob.pk}/change/")

        assert page.context["figures"][0].text == "0"
        assert "40 of the recorded balance has fallen due" in text(page)
        bob.refresh_from_db()
        assert bob.balance == 40

    def test_shows_debt_overdraft_and_reason_of_freezing(self, dave: Desk, alice: Account) -> None:
        accounts.change_account(account=alice.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(50)))
        movements.adjust_balance(account=alice.pk, delta=Decimal(-130), memo=memo(reason="fraud"), allow_debt=True)
        accounts.freeze_account(account=alice.pk, reason="Card dispute")

        page = dave.get(f"credits/account/{alice.pk}/change/")

        figures = {figure.label: figure.text for figure in page.context["figures"]}
        assert (figures["Debt"], figures["Overdraft limit"]) == ("30", "50")
        assert "Frozen: Card dispute" in text(page)

    def test_offers_a_refund_only_of_what_is_left(self, dave: Desk, lively: Account) -> None:
        whole = spend(lively, 3)
        corrections.refund_transaction(transaction=whole.id, memo=memo())

        rows = dave.get(f"credits/account/{lively.pk}/change/").context["movements"]

        assert sum(row["refundable"] for row in rows) == 3

    def test_shows_amounts_as_the_unit_is_written(self, dave: Desk) -> None:
        account = make_account(unit="USD", balance=Decimal("1234.5"))

        assert "1,234.50" in text(dave.get(f"credits/account/{account.pk}/change/"))


class TestFreeTextStaysText:
    def test_wherever_it_is_printed(self, dave: Desk) -> None:
        name = accounts.Particulars(name=SCRIPT, email="x@example.com")
        account = make_account(external_id=SCRIPT, balance=50)
        accounts.change_account(account=account.pk, particulars=name)
        spent = spend(account, 3, description=SCRIPT, feature=SCRIPT, reference_type=SCRIPT, reference_id=SCRIPT)
        held = hold(account, 3, description=SCRIPT, metadata={"ticket": SCRIPT})
        create_api_key(name=SCRIPT, scopes=["credits:read"], owner=SCRIPT)
        offer = prices.Offer("credits", "fixed", {"amount": 2}, model=SCRIPT, note=SCRIPT)
        [made] = prices.add_prices(offers=[offer], actor=SCRIPT)
        charge(account, SCRIPT, model=SCRIPT)
        waiting = unpriced(account, f"new {SCRIPT}")
        prices.add_feature(code="scripted", name=SCRIPT, description=SCRIPT)
        day = QuotaKey(SCRIPT, "daily", "credits")
        later = timezone.now() + timedelta(days=1)
        quotas.override_quota(account=account.pk, key=day, limit=Decimal(9), until=later, reason=SCRIPT)
        order = Order(SCRIPT, Decimal(1), timezone.now(), "UTC", description=SCRIPT)
        start_allotment(account=account.pk, order=order)
        file = SimpleUploadedFile(f"{SCRIPT}.csv", f"unit,model,scheme,amount\n{SCRIPT},{SCRIPT},{SCRIPT},1".encode())
        good = SimpleUploadedFile("good.csv", f"model,scheme,amount,note\nnew {SCRIPT},fixed,1,{SCRIPT}".encode())
        fields = {"amount": "1", "reason": "goodwill", "note": SCRIPT, "ticket": SCRIPT}
        dave.confirm(account, "adjust", **fields)
        dave.confirm(account, "freeze", note=SCRIPT, ticket="")
        key = ApiKey.objects.get()
        pages = [
            dave.get(path)
            for path in (
                *(f"credits/{model}/" for model in LISTS),
                f"credits/account/{account.pk}/change/",
                f"credits/account/{account.pk}/history/",
                f"credits/account/{account.pk}/refund/",
                f"credits/transaction/{spent.id}/change/",
                f"credits/transaction/?account={account.pk}",
                f"credits/hold/{held.id}/change/",
                f"credits/apikey/{key.pk}/change/",
                f"credits/apikey/{key.pk}/revoke/",
                f"credits/price/{made.pk}/change/",
                f"credits/unpricedusage/{waiting.pk}/change/",
                f"credits/unpricedusage/{waiting.pk}/rate/",
                "credits/unpricedusage/rate-all/",
                "credits/feature/scripted/change/",
                *(f"credits/account/{account.pk}/{verb}/" for verb in ("set-quota", "reset-quota", "end-override")),
                "",
            )
        ]
        pages.append(dave.press(account, "adjust", **fields))
        pages.append(dave.press(account, "end-override", quota="|".join(day), note=SCRIPT, ticket=SCRIPT))
        pages += [dave.post("credits/price/import/", file=each) for each in (file, good)]

        for page in pages:
            assert page.status_code == 200
            assert SCRIPT not in text(page)
        assert sum("&lt;script&gt;" in text(page) for page in pages) > 10


class TestTheCost:
    def test_of_the_account_page_is_bounded(self, carol: Desk, lively: Account) -> None:
        give(lively, 1, priority=1)
        spend(lively, 1, description="The last of its lot")
        few = _queries(carol, f"credits/account/{lively.pk}/change/")
        for number in range(30):
            spend(lively, 1, description=f"{number}")
            give(lively, 1)
        for number in range(8):
            hold(lively, 1)
            quotas.set_quota(
                account=lively.pk, key=QuotaKey(f"feature-{number}", "daily", "credits"), limit=Decimal(number)
            )
            start_allotment(account=lively.pk, order=Order("tests", Decimal(1), timezone.now(), "UTC"))
            charge(lively, quantity=Decimal(1))
            unpriced(lively, charged=1)
        LogEntry.objects.log_actions(carol.user.pk, [lively], 2, "Looked", single_object=True)

        many = _queries(carol, f"credits/account/{lively.pk}/change/")

        assert max(few, many) <= 16

    @pytest.mark.parametrize("model", LISTS)
    def test_of_a_list_does_not_grow_with_its_rows(self, dave: Desk, lively: Account, model: str) -> None:
        few = _queries(dave, f"credits/{model}/")
        for number in range(12):
            account = make_account(external_id=f"more-{number}", balance=10)
            spend(account, 1)
            hold(account, 1)
            create_api_key(name=f"key-{number}", scopes=["credits:read"])
            price(f"feature-{number}", amount=1)
            unpriced(account, charged=1)

        assert _queries(dave, f"credits/{model}/") == few

    def test_of_counting_ends_at_the_bound(self, dave: Desk, lively: Account, monkeypatch: Any) -> None:
        monkeypatch.setattr("credits.admin.lists.MOST_COUNTED", 3)

        page = text(dave.get("credits/transaction/"))

        assert " ".join(page[page.index("more than") :].split()).startswith("more than 3 movements")

    def test_of_a_filter_that_takes_too_long_is_cut_off(self, committed: None, monkeypatch: Any) -> None:
        desk = Desk("dave", superuser=True)
        slow = "(SELECT pg_sleep(1)) IS NULL"
        monkeypatch.setattr(
            "credits.admin.lists.OfAccount.queryset", lambda self, request, rows: rows.extra(where=[slow])
        )
        make_account(balance=5)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '200ms'")

        answer = desk.client.get("/admin/credits/transaction/?kind__exact=topup")

        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
        assert answer["Location"] == "/admin/credits/transaction/"


class TestSearch:
    @pytest.mark.parametrize("term", ["alice@", "ALICE@EX", "Alice L", "al@firm"])
    def test_finds_accounts_by_the_beginning_of_what_they_are_known_by(self, dave: Desk, term: str) -> None:
        alice = make_account(external_id="alice@example.com", name="Alice Lindqvist", email="al@firm.example.com")
        make_account(external_id="bob", name="Bob Alice", email="bob@al.example.com")

        found = dave.client.get("/admin/credits/account/", {"q": term}).context["cl"].result_list

        assert list(found) == [alice]

    def test_uses_the_indexes(self, database: None) -> None:
        rows = Account.objects.filter(external_id__istartswith="ali").order_by()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

        assert "account_external_id" in rows.explain()

    def test_finds_an_account_by_its_id(self, dave: Desk, alice: Account, bob: Account) -> None:
        found = dave.client.get("/admin/credits/account/", {"q": str(alice.pk)}).context["cl"].result_list

        assert list(found) == [alice]

    def test_finds_a_transaction_by_id_or_reference(self, dave: Desk, lively: Account) -> None:
        row = Transaction.objects.get(reference_id="c-1")
        for term in ("c-1", f" {row.pk} "):
            found = dave.client.get("/admin/credits/transaction/", {"q": term}).context["cl"].result_list
            assert list(found) == [row]

    def test_lists_one_accounts_movements_latest_first(self, dave: Desk, lively: Account) -> None:
        page = dave.get(f"credits/transaction/?account={lively.pk}")

        numbers = [row.sequence for row in page.context["cl"].result_list]
        assert numbers == list(range(len(numbers), 0, -1))
        assert "Movements of" in text(page)


def _queries(desk: Desk, path: str) -> int:
    desk.get(path)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert desk.get(path).status_code == 200
    return len(queries)
