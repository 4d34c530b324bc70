from tracing_lib.testing.kit import RecordedTraces as RecordedTraces
from tracing_lib.testing.kit import SequentialIds as SequentialIds
from tracing_lib.testing.kit import as_global as as_global
from tracing_lib.testing.kit import attributes_of as attributes_of
from tracing_lib.testing.kit import links_of as links_of
from tracing_lib.testing.kit import render as render
