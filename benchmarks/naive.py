"""The rival: credits as they are usually begun. FastAPI and SQLAlchemy, the balance is the sum of the history.

No lock, no idempotency, no lots, no hash, no trace of who asked: two requests at once can spend the same credit. It is
what our guarantees are priced against.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Index, Numeric, Text, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

TOKEN = os.environ["NAIVE_TOKEN"]
engine = create_engine(os.environ["NAIVE_DATABASE_URL"], pool_size=4, max_overflow=4)
new_session = sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase):
    """The naive design's tables."""


class Movement(Base):
    """One row a movement."""

    __tablename__ = "naive_movement"
    __table_args__ = (Index("naive_movement_of_user", "user_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 6))
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Deduct(BaseModel):
    """What a caller asks for."""

    user_id: str
    amount: Decimal = Field(gt=0)
    description: str = ""


class Deducted(BaseModel):
    """What it is answered."""

    transaction_id: int
    balance: Decimal


def session() -> Iterator[Session]:
    """Yield a session of the request."""
    with new_session() as opened:
        yield opened


def authenticate(authorization: Annotated[str, Header()] = "") -> None:
    """Refuse any key but the one there is."""
    if not secrets.compare_digest(authorization, f"Bearer {TOKEN}"):
        raise HTTPException(401, "Invalid API key")


@app.get("/health")
def health() -> dict[str, str]:
    """Answer while the process lives."""
    return {"status": "ok"}


@app.post("/deduct", status_code=201, dependencies=[Depends(authenticate)])
def deduct(asked: Deduct, database: Annotated[Session, Depends(session)]) -> Deducted:
    """Sum the history, compare, insert."""
    total = select(func.coalesce(func.sum(Movement.amount), 0)).where(Movement.user_id == asked.user_id)
    balance = database.scalars(total).one()
    if balance < asked.amount:
        raise HTTPException(402, "Insufficient credits")
    row = Movement(user_id=asked.user_id, amount=-asked.amount, description=asked.description)
    database.add(row)
    database.commit()
    return Deducted(transaction_id=row.id, balance=balance - asked.amount)


if __name__ == "__main__":
    Base.metadata.create_all(engine)
