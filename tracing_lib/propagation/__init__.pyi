from tracing_lib.propagation.baggage import inject as inject
from tracing_lib.propagation.baggage import outbound_to as outbound_to
from tracing_lib.propagation.baggage import set_baggage as set_baggage
from tracing_lib.propagation.current import current_span as current_span
from tracing_lib.propagation.threads import ContextThread as ContextThread
from tracing_lib.propagation.threads import ContextThreadPoolExecutor as ContextThreadPoolExecutor
from tracing_lib.propagation.threads import carry as carry
from tracing_lib.propagation.threads import carry_in_executors as carry_in_executors
