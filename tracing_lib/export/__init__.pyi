from tracing_lib.export.accounts import Accounts as Accounts
from tracing_lib.export.processor import ShutdownReport as ShutdownReport
