"""Letters to owners: once for each event, not too many, and none to who wants none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing.models import Customer, Notice, NoticeAddress, NoticeKind, NoticeStatus
from billing.services import notices
from credits.models import Account
from credits.services import accounts
from tests.factories import give, make_account, spend
from tests.fakes.mailbox import Mailbox
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("committed")
SENT, PENDING = NoticeStatus.SENT, NoticeStatus.PENDING


@pytest.fixture
def ada(committed: None) -> Account:
    return make_account(external_id="ada", balance=100, email="ada@example.com", name="Ada")


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """A real mail server."""
    with Mailbox() as mailbox:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", mailbox.port, False
        yield mailbox


def write(**when: Any) -> int:
    notices.take_note()
    return notices.send_due(**when)


def subjects() -> list[str]:
    return [str(letter.subject) for letter in mail.outbox]


def sent() -> list[Any]:
    """What went out."""
    return list(mail.outbox)


def links(letter: Any) -> tuple[str, str]:
    """The link of the text, and that of the header."""
    found = re.search(r"https?://\S+/unsubscribe/\S+", letter.body)
    assert found
    return found[0], letter.extra_headers["List-Unsubscribe"].strip("<>")


class TestALetter:
    def test_goes_when_the_balance_runs_low(self, ada: Account, settings: Any) -> None:
        settings.PUBLIC_URL = "https://credits.example"
        spend(ada, 80)

        write()

        (letter,) = sent()
        assert (letter.subject, letter.to) == ("Your balance is running low", ["ada@example.com"])
        assert "Hello Ada," in letter.body
        assert "has fallen to 20 credits. It counts as low from 20 credits on." in letter.body
        html, kind = letter.alternatives[0]
        assert (kind, "<b>20 credits</b>" in html) == ("text/html", True)
        assert links(letter)[0] == links(letter)[1]
        assert links(letter)[0].startswith("https://credits.example/unsubscribe/")
        assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        row = Notice.objects.get()
        assert (row.status, row.kind, row.email, row.attempts) == (SENT, NoticeKind.LOW, "ada@example.com", 1)

    def test_goes_for_each_of_the_things_owners_are_told(self, ada: Account) -> None:
        spend(ada, 80)
        give(ada, 400)
        spend(ada, 420)
        give(ada, 100)
        accounts.freeze_account(account=ada.pk, reason="Suspected fraud")

        write()

        assert subjects() == [
            "Your balance is running low",
            "Your balance is no longer low",
            "Your balance is used up",
            "Your account has been switched off",
        ]
        assert "balance of" not in sent()[3].body

    def test_says_nothing_twice(self, ada: Account) -> None:
        """That a balance is used up says that nothing can be used."""
        spend(ada, 100)

        write()

        assert set(subjects()) == {"Your balance is running low", "Your balance is used up"}

    def test_escapes_what_callers_named(self) -> None:
        account = make_account(external_id="<b>x", balance=10, email="x@example.com", name="<script>")
        spend(account, 9)

        write()

        html = sent()[0].alternatives[0][0]
        assert "<script>" not in html
        assert "Hello &lt;script&gt;" in html
        assert "Hello <script>," in sent()[0].body

    def test_goes_to_the_provider_s_address_where_the_account_has_none(self) -> None:
        account = make_account(external_id="bo", balance=10)
        Customer.objects.create(
            id=uuid7(), account=account, provider_id="cus_1", livemode=False, email="bo@pay.example",
            created_at=timezone.now(),
        )  # fmt: skip
        spend(account, 9)

        write()

        assert sent()[0].to == ["bo@pay.example"]

    def test_goes_nowhere_where_no_address_is_known(self) -> None:
        spend(make_account(balance=10), 9)

        assert write() == 0
        assert Notice.objects.get().status == NoticeStatus.NO_ADDRESS


def test_nobody_is_written_to_about_what_happened_long_ago() -> None:
    long_ago = timezone.now() - timedelta(days=2)
    account = make_account(external_id="old", balance=100, email="old@example.com", at=long_ago)
    spend(account, 90, at=long_ago)

    assert write() == 0
    assert not Notice.objects.exists()


class TestOfAKind:
    def test_there_is_one_in_so_many_hours(self, ada: Account, settings: Any) -> None:
        for _ in range(3):
            spend(ada, 80)
            give(ada, 80)

        write()

        assert sorted(subjects()) == ["Your balance is no longer low", "Your balance is running low"]
        throttled = Notice.objects.filter(status=NoticeStatus.THROTTLED).count()
        assert throttled == 4

    def test_there_is_another_for_another_account(self, ada: Account) -> None:
        eve = make_account(external_id="eve", balance=100, email="ada@example.com")
        spend(ada, 80)
        spend(eve, 80)

        assert write() == 2


class TestOnce:
    def test_is_each_event_written_about_by_many_workers(self, ada: Account) -> None:
        spend(ada, 80)

        at_once([write] * 4)

        assert Notice.objects.count() == 1
        assert len(mail.outbox) == 1

    def test_is_the_same_letter_again_where_its_sender_died(self, ada: Account) -> None:
        spend(ada, 80)
        notices.take_note()
        now = timezone.now()
        taken = notices.claim(now=now)
        assert taken is not None
        assert notices.claim(now=now) is None

        notices.send_due(now=now + notices.LEASE)
        notices.send(taken)

        # The one that was away sends it, and records nothing; whoever reads mail sees one, by its id.
        assert Notice.objects.get().attempts == 2
        assert len({letter.extra_headers["Message-ID"] for letter in mail.outbox}) == 1


class TestUnsubscribing:
    @pytest.fixture
    def path(self, ada: Account) -> str:
        spend(ada, 80)
        write()
        return "/unsubscribe/" + links(sent()[0])[1].rpartition("/")[2]

    def test_takes_more_than_a_look(self, path: str) -> None:
        page = Client().get(path)

        assert page.status_code == 200
        assert "form-action 'self'" in page["Content-Security-Policy"]
        assert NoticeAddress.objects.get().unsubscribed_at is None

    def test_by_one_click_stops_what_comes_and_what_waits(self, path: str, ada: Account) -> None:
        give(ada, 80)
        notices.take_note()
        strict = Client(enforce_csrf_checks=True)

        answer = strict.post(path, {"List-Unsubscribe": "One-Click"})

        assert answer.status_code == 200
        assert b"gets no more letters" in answer.content
        assert write() == 1
        spend(ada, 100)
        write()
        assert subjects() == ["Your balance is running low"]
        assert set(Notice.objects.exclude(status=SENT).values_list("status", flat=True)) == {"unsubscribed"}

    def test_is_of_one_account_and_can_be_taken_back(self, path: str, ada: Account) -> None:
        other = make_account(external_id="other", balance=100, email="ada@example.com")
        Client().post(path)
        spend(other, 80)
        write()
        assert len(mail.outbox) == 2

        Client().post(path, {"again": "yes"})
        give(ada, 80)
        write()

        assert len(mail.outbox) == 3

    @pytest.mark.parametrize("token", ["1", "1:x", "x"])
    def test_takes_a_link_of_ours(self, path: str, token: str) -> None:
        assert Client().post(f"/unsubscribe/{token}").status_code == 404
        assert Client().put(path).status_code == 405


class TestAMailServer:
    def test_gets_what_one_click_takes(self, ada: Account, mailbox: Mailbox) -> None:
        spend(ada, 80)

        write()

        (raw,) = mailbox.letters
        letter: Message = message_from_bytes(raw, policy=default)
        assert letter["Subject"] == "Your balance is running low"
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert [part.get_content_type() for part in letter.walk()][1:] == ["text/plain", "text/html"]

    def test_that_is_away_is_asked_again_later(self, ada: Account, mailbox: Mailbox) -> None:
        spend(ada, 80)
        notices.take_note()
        now = timezone.now()
        mailbox.refusing = 421
        write(now=now)
        row = Notice.objects.get()
        assert (row.status, row.next_try_at) == (PENDING, now + notices.FIRST_PAUSE)
        assert row.error

        mailbox.refusing = 0
        write(now=now + notices.FIRST_PAUSE)

        assert (Notice.objects.get().status, len(mailbox.letters)) == (SENT, 1)

    def test_that_stays_away_is_given_up(self, ada: Account, mailbox: Mailbox) -> None:
        spend(ada, 80)
        mailbox.refusing = 421

        write(now=timezone.now() + notices.PATIENCE + timedelta(minutes=1))

        assert Notice.objects.get().status == NoticeStatus.FAILED

    def test_that_refuses_the_address_is_asked_no_more(self, ada: Account, mailbox: Mailbox) -> None:
        spend(ada, 80)
        mailbox.refusing = 550

        write()

        assert (Notice.objects.get().status, Notice.objects.get().error) == (
            NoticeStatus.FAILED, "The mail server refuses the address.",
        )  # fmt: skip


def test_letters_of_long_ago_are_deleted(ada: Account) -> None:
    spend(ada, 80)
    write()

    assert notices.purge_notices() == 0
    assert notices.purge_notices(now=timezone.now() + timedelta(days=366)) == 1
