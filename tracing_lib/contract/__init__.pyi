from tracing_lib.contract.outputs import OperationTarget as OperationTarget
from tracing_lib.contract.outputs import Outputs as Outputs
from tracing_lib.contract.outputs import PrivacyRule as PrivacyRule
from tracing_lib.contract.settings import TracingSettings as TracingSettings
