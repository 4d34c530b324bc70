"""The application with logfire, as its documentation has it for FastAPI, httpx and SQLAlchemy."""

import logfire
from application import app, engine

logfire.configure(send_to_logfire=False)
logfire.instrument_fastapi(app)
logfire.instrument_httpx()
logfire.instrument_sqlalchemy(engine)

__all__ = ["app"]
