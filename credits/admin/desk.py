"""What other apps add to the desk: sections and buttons of the account's page, finders, figures of the front page,
reports, acts that may wait for a second person.

An app that stands above this one registers its own from its admin; nothing here knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from credits.models import Account, ApprovalRequest

if TYPE_CHECKING:
    from credits.admin.acts import Act
    from credits.admin.verbs import Verb


@dataclass(frozen=True, slots=True)
class Section:
    """A card on the account's page. ``context`` returns what its template prints, by a bounded number of queries.

    Under ``headline`` it may return figures for the head of the page, and under ``away`` addresses elsewhere for the
    menu: a title, an icon and the address.
    """

    name: str
    permission: str
    template: str
    context: Callable[[HttpRequest, Account], dict[str, Any]]
    place: int = 50


@dataclass(frozen=True, slots=True)
class Button:
    """A verb among the buttons of the account's page, in a menu of its group; what is pressed most has a low place."""

    verb: type[Verb]
    icon: str
    group: str
    place: int = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found. ``exact`` where it is called just so; ``reference`` where it only refers to that.

    Without a link it is there, and not for this user to see.
    """

    kind: str
    title: str
    link: str
    note: str = ""
    exact: bool = False
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks something up by an index. Asked only for those who may see what it finds, and lack ``lacking``."""

    permission: str
    find: Callable[[str], Iterable[Hit]]
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the front page, and the list that it counts."""

    label: str
    text: SafeString | str
    link: str = ""
    note: SafeString | str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A row of figures on the front page."""

    title: str
    permission: str
    tiles: Callable[[HttpRequest], Iterable[Tile]]
    place: int = 50


class Holds(Enum):
    """What a column of a report has, and so how it is written on the page and in the file."""

    WORDS = "words"
    # What somebody else named: it may be long.
    NAME = "name"
    # An id: the file has it, the page has no room for it.
    ID = "id"
    MOMENT = "moment"
    # A number of things, with no more places than it needs.
    COUNT = "count"
    # An amount of the unit that the column Unit names.
    AMOUNT = "amount"
    # Money in minor units of the currency that the column Currency names; the file has it so.
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a report."""

    title: str
    holds: Holds = Holds.WORDS


@dataclass(frozen=True, slots=True)
class Report:
    """A question and its columns, for those who have all of ``permissions``.

    ``sql`` may name ``since``, ``until`` and ``now``, moments in UTC.
    """

    name: str
    title: str
    says: str
    columns: tuple[Column, ...]
    sql: str
    permissions: tuple[str, ...]
    place: int = 50

    def place_of(self, title: str) -> int | None:
        """Return which column is called so."""
        return next((place for place, each in enumerate(self.columns) if each.title == title), None)


@dataclass(frozen=True, slots=True)
class Approvable:
    """A button that may wait for a second person, by what it is called as a capped action.

    It stands on the page of a ``model``'s row; ``row_of`` returns that row's key from what a request keeps.
    """

    action: str
    act: type[Act]
    model: type[Model]
    row_of: Callable[[ApprovalRequest], str]


GROUP_ICONS = {"Plan": "autorenew", "More": "more_horiz"}
_sections: list[Section] = []
_buttons: list[Button] = []
_finders: list[Finder] = []
_boards: list[Board] = []
_reports: dict[str, Report] = {}
_approvables: dict[str, Approvable] = {}


def register(*things: Section | Button | Finder | Board | Report | Approvable) -> None:
    """Add to the desk what an app has for it."""
    for thing in things:
        match thing:
            case Section():
                _sections.append(thing)
            case Button():
                _buttons.append(thing)
            case Finder():
                _finders.append(thing)
            case Board():
                _boards.append(thing)
            case Report():
                _reports[thing.name] = thing
            case Approvable():
                _approvables[thing.action] = thing


def buttons() -> list[Button]:
    """Return every registered button."""
    return list(_buttons)


def approvable(action: str) -> Approvable:
    """Return the button of a capped action."""
    return _approvables[action]


def finders(request: HttpRequest) -> list[Finder]:
    """Return the finders of what the user may see."""
    may = request.user.has_perm
    return [each for each in _finders if may(each.permission) and not (each.lacking and may(each.lacking))]


def reports(request: HttpRequest) -> dict[str, Report]:
    """Return the reports that the user may see, by name, in their places."""
    shown = [each for each in _reports.values() if request.user.has_perms(each.permissions)]
    return {each.name: each for each in sorted(shown, key=lambda one: one.place)}


def all_reports() -> list[Report]:
    """Return every registered report."""
    return list(_reports.values())


def boards(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the rows of figures that the user may see, in their places."""
    shown = sorted((each for each in _boards if request.user.has_perm(each.permission)), key=lambda one: one.place)
    rows: dict[str, list[Tile]] = {}
    for board in shown:
        rows.setdefault(board.title, []).extend(board.tiles(request))
    return [{"title": title, "tiles": tiles} for title, tiles in rows.items() if tiles]


@dataclass(frozen=True, slots=True)
class Cards:
    """What other apps have for an account's page."""

    headline: list[Tile] = field(default_factory=list)
    sections: list[tuple[str, SafeString]] = field(default_factory=list)
    away: list[tuple[str, str, str]] = field(default_factory=list)


def cards(request: HttpRequest, account: Account) -> Cards:
    """Return what the user may see on an account's page; the cards in their places, each with its name."""
    shown = sorted((each for each in _sections if request.user.has_perm(each.permission)), key=lambda one: one.place)
    found = Cards()
    for each in shown:
        told = each.context(request, account)
        found.headline.extend(told.get("headline", ()))
        found.away.extend(told.get("away", ()))
        card = render_to_string(each.template, {"account": account, **told}, request)
        found.sections.append((each.name, card))
    return found


def menus(request: HttpRequest, account: Account, away: Iterable[tuple[str, str, str]] = ()) -> list[dict[str, Any]]:
    """Return the registered buttons that the user may press, and addresses elsewhere, as unfold's menus."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for button in sorted(_buttons, key=lambda each: each.place):
        verb = button.verb
        if verb.allowed(request) and verb.offered(account.status):
            groups.setdefault(button.group, []).append(
                {"title": verb.title, "icon": button.icon, "path": verb.address(account.pk), "attrs": {}}
            )
    for title, icon, address in away:
        attrs = {"target": "_blank", "rel": "noreferrer noopener"}
        groups.setdefault("More", []).append({"title": title, "icon": icon, "path": address, "attrs": attrs})
    return [
        {"title": group, "icon": GROUP_ICONS.get(group, "more_horiz"), "variant": "default", "items": items}
        for group, items in sorted(groups.items(), key=lambda each: each[0] == "More")
    ]
