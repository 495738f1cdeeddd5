"""Who has an account. The same people every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from credits.plan import Owner


def _names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(",")]


FIRST = _names(
    """
    Ada, Alan, Amara, Anders, Anita, Bao, Beatriz, Björn, Carla, Chen, Clara, Daniel, Deepa, Diego, Elena, Emil,
    Fatima, Felix, Freya, Grace, Hana, Hugo, Ines, Ivan, Jamal, Jonas, Julia, Kofi, Laila, Lars, Leila, Linus, Luca,
    Maya, Mateo, Mina, Nadia, Niko, Nora, Olga, Omar, Petra, Priya, Rafael, Rosa, Samir, Sofia, Tariq, Tessa, Tomas,
    Uma, Viktor, Wanda, Yara, Yusuf, Zoe
    """
)
LAST = _names(
    """
    Abara, Andersson, Bauer, Becker, Bianchi, Brandt, Castillo, Costa, Dahl, Diallo, Dubois, Eriksen, Fischer,
    Fontaine, Garcia, Haddad, Hansen, Hoffmann, Ito, Jansen, Kaya, Keller, Khan, Kowalski, Larsen, Lindqvist, Lopez,
    Marino, Mensah, Moreau, Müller, Nakamura, Novak, Okafor, Oliveira, Olsen, Park, Patel, Petrov, Ramos, Rossi,
    Santos, Sato, Schmidt, Silva, Singh, Tanaka, Torres, Virtanen, Vogel, Weber, Wong, Yilmaz, Zimmermann
    """
)
FIRMS = _names(
    """
    Alder Analytics, Birchline Security, Cobalt Freight, Driftwood Games, Eastgate Robotics, Fernhill Media, Granite
    Pay, Harbour Health, Indigo Maps, Juniper Legal, Kestrel Cloud, Lantern Learning, Meridian Foods, Northwind
    Data, Orchard Labs, Pinecrest Travel, Quarry Systems, Riverbend Energy, Saltmarsh Studio, Tidewater Logistics,
    Umber Design, Violet Networks, Willow Insurance, Yarrow Biotech, Zephyr Mobility
    """
)
PLAIN = str.maketrans("äöüø", "aouo")
ACCOUNTS = 200
DAYS = 90


@dataclass(frozen=True)
class Customer:
    """Somebody with an account. ``joins`` is the day it is opened, ``appetite`` how likely it is used at an hour."""

    owner: Owner
    name: str
    email: str
    joins: int
    appetite: float
    plan: Decimal
    overdraft: Decimal = Decimal(0)


def customers(chance: Random) -> Iterator[Customer]:
    """Yield them in the order they join. Firms pay in US dollars, people and the other firms in credits."""
    people = [(first, last) for first in FIRST for last in LAST]
    chance.shuffle(people)
    joins = sorted(int(DAYS * chance.random() ** 1.6 * 0.97) for _ in range(ACCOUNTS))
    for index, day in enumerate(joins):
        if index % 8 == 3:
            yield _firm(FIRMS[index // 8], chance, day)
        else:
            first, last = people[index]
            yield _person(first, last, chance, day)


def _person(first: str, last: str, chance: Random, day: int) -> Customer:
    email = f"{first}.{last}@example.com".lower().translate(PLAIN)
    external_id = email if chance.random() < 0.7 else f"user-{chance.randrange(10**6, 10**7)}"
    plan = Decimal(chance.choice([0, 0, 500, 1000, 2500]))
    return Customer(Owner(external_id, "credits"), f"{first} {last}", email, day, chance.uniform(0.03, 0.16), plan)


def _firm(name: str, chance: Random, day: int) -> Customer:
    slug = name.lower().replace(" ", "-")
    unit = "USD" if chance.random() < 0.75 else "credits"
    overdraft = Decimal(25 if unit == "USD" else 500)
    plan = Decimal(0 if unit == "USD" else 10_000)
    appetite = chance.uniform(0.15, 0.3)
    return Customer(Owner(f"org-{slug}", unit), name, f"billing@{slug}.example.com", day, appetite, plan, overdraft)
