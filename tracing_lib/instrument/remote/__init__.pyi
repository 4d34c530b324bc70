from tracing_lib.instrument.remote.kubernetes import TracedApiClient as TracedApiClient
from tracing_lib.instrument.remote.kubernetes import carry_context as carry_context
from tracing_lib.instrument.remote.slurm import SlurmClient as SlurmClient
from tracing_lib.instrument.remote.waldur import waldur_client as waldur_client
