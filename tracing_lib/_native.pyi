# What pure.py has: the module in C has the same names, with the same results.
from tracing_lib.pure import PackCore as PackCore
from tracing_lib.pure import Recording as Recording
from tracing_lib.pure import SourceCore as SourceCore
from tracing_lib.pure import SpanCore as SpanCore
from tracing_lib.pure import caller as caller
from tracing_lib.pure import derived as derived
from tracing_lib.pure import enter as enter
from tracing_lib.pure import record as record
from tracing_lib.pure import root as root
from tracing_lib.pure import serve as serve
from tracing_lib.pure import token as token
from tracing_lib.pure import traceparent as traceparent
