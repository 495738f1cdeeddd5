"""What other apps add to the desk: sections and buttons of the account's page, finders, figures of the front page.

An app that stands above this one registers its own from its admin; nothing here knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from credits.models import Account

if TYPE_CHECKING:
    from credits.admin.verbs import Verb


@dataclass(frozen=True, slots=True)
class Section:
    """A card on the account's page. ``context`` returns what its template prints, by a bounded number of queries.

    Under ``headline`` it may return figures for the head of the page.
    """

    name: str
    permission: str
    template: str
    context: Callable[[HttpRequest, Account], dict[str, Any]]
    place: int = 50


@dataclass(frozen=True, slots=True)
class Button:
    """A verb among the buttons of the account's page, in a menu of its group."""

    verb: type[Verb]
    icon: str
    group: str


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found. ``exact`` where it is called just so; ``reference`` where it only refers to that."""

    kind: str
    title: str
    link: str
    note: str = ""
    exact: bool = False
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks something up by an index. Asked only for those who may see what it finds."""

    permission: str
    find: Callable[[str], Iterable[Hit]]


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


GROUP_ICONS = {"Plan": "autorenew", "More": "more_horiz"}
_sections: list[Section] = []
_buttons: list[Button] = []
_finders: list[Finder] = []
_boards: list[Board] = []


def register(*things: Section | Button | Finder | Board) -> None:
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


def buttons() -> list[Button]:
    """Return every registered button."""
    return list(_buttons)


def finders(request: HttpRequest) -> list[Finder]:
    """Return the finders of what the user may see."""
    return [each for each in _finders if request.user.has_perm(each.permission)]


def boards(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the rows of figures that the user may see, in their places."""
    shown = sorted((each for each in _boards if request.user.has_perm(each.permission)), key=lambda one: one.place)
    rows: dict[str, list[Tile]] = {}
    for board in shown:
        rows.setdefault(board.title, []).extend(board.tiles(request))
    return [{"title": title, "tiles": tiles} for title, tiles in rows.items() if tiles]


def cards(request: HttpRequest, account: Account) -> tuple[list[Tile], list[tuple[str, SafeString]]]:
    """Return what the user may see on an account's page: figures for its head, and the cards, each with its name."""
    shown = sorted((each for each in _sections if request.user.has_perm(each.permission)), key=lambda one: one.place)
    tiles: list[Tile] = []
    rendered = []
    for each in shown:
        told = each.context(request, account)
        tiles += told.get("headline", ())
        rendered.append((each.name, render_to_string(each.template, {"account": account, **told}, request)))
    return tiles, rendered


def menus(request: HttpRequest, account: Account) -> list[dict[str, Any]]:
    """Return the registered buttons that the user may press on an account, as unfold's menus."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for button in _buttons:
        verb = button.verb
        if verb.allowed(request) and verb.offered(account.status):
            groups.setdefault(button.group, []).append(
                {"title": verb.title, "icon": button.icon, "path": verb.address(account.pk), "attrs": {}}
            )
    return [
        {"title": group, "icon": GROUP_ICONS.get(group, "more_horiz"), "variant": "default", "items": items}
        for group, items in sorted(groups.items(), key=lambda each: each[0] == "More")
    ]
