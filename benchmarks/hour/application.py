"""The application of ``benchmarks.first_hour``: what a service usually has, and not a line of tracing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI, Header, HTTPException, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)


class Base(DeclarativeBase):
    """The tables."""


class Customer(Base):
    """A customer."""

    __tablename__ = "customers"
    email: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class NewCustomer(BaseModel):
    """The body of a request."""

    email: str
    name: str


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    Base.metadata.create_all(engine)
    yield


app = FastAPI(lifespan=lifespan)


def session() -> Iterator[Session]:
    """A session for each request."""
    with Session(engine) as opened:
        yield opened


def caller(authorization: Annotated[str, Header()] = "") -> str:
    """The caller."""
    return authorization


Database = Annotated[Session, Depends(session)]
Caller = Annotated[str, Depends(caller)]


@app.get("/health")
def health() -> str:
    """Say that the service runs."""
    return "ok"


@app.post("/customers")
def create(customer: NewCustomer, database: Database, _: Caller, tasks: BackgroundTasks) -> dict[str, str]:
    """Insert a customer, and write later."""
    database.add(Customer(email=customer.email, name=customer.name))
    database.commit()
    tasks.add_task(welcome, customer.email)
    return {"email": customer.email}


def welcome(email: str) -> None:
    """Look the customer up, as a mail would need."""
    with Session(engine) as opened:
        opened.get(Customer, email)


@app.get("/customers/{email}")
def show(email: str, database: Database, _: Caller) -> dict[str, str]:
    """Show a customer."""
    found = database.get(Customer, email)
    if found is None:
        raise HTTPException(404, f"there is no {email}")
    return {"name": found.name}


@app.get("/search")
def search(name: str, database: Database) -> list[str]:
    """Search in the way that one should not: with the literal in the text."""
    return list(database.execute(text(f"SELECT email FROM customers WHERE name = '{name}'")).scalars())  # noqa: S608  on purpose


@app.get("/export")
def export() -> StreamingResponse:
    """Stream all customers."""

    def rows() -> Iterator[str]:
        with Session(engine) as opened:
            for found in opened.scalars(select(Customer)):
                yield f"{found.email},{found.name}\n"

    return StreamingResponse(rows(), media_type="text/csv")


@app.post("/upload")
async def upload(file: UploadFile) -> dict[str, int]:
    """Take a file."""
    return {"size": len(await file.read())}


@app.get("/checkout")
async def checkout(request: Request, email: str) -> dict[str, str]:
    """Call a service, here itself."""
    async with httpx.AsyncClient(base_url=str(request.base_url), headers={"authorization": "Bearer tok-outgoing-5551"}) as client:
        found: dict[str, str] = (await client.get(f"/customers/{email}", params={"note": "note-outgoing-5552"})).json()
        return found


@app.get("/broken")
def broken(name: str) -> None:
    """Raise an error with a customer's data in its text."""
    raise RuntimeError(f"cannot serve {name}")
