"""Errors of the local placement; every message ends with the next step."""


class LocalError(Exception):
    """Base of all errors of the local placement: its text is meant for the user as it stands."""


class FolderInUseError(LocalError):
    """Another process holds the folder of this environment."""


class PortsError(LocalError):
    """No usable port, a memory of ports that cannot be read, or a port that somebody else listens on."""


class MissingProgramError(LocalError):
    """Server programs that are neither on PATH nor can be built here."""


class BuildError(LocalError):
    """The Go toolchain refused to build a program."""


class UnsupportedPlanError(LocalError):
    """The plan asks for something that only a container target offers."""


class NotRunningError(LocalError):
    """No environment, or no such instance, runs in a folder."""


class AddressesError(LocalError):
    """No block of loopback addresses is left, or an environment has more instances than a block has addresses."""


class DiskError(LocalError):
    """A volume cannot be a file system of its own size."""


class FaultError(LocalError):
    """A fault that cannot be made, such as one of an instance that is not there."""


class StartError(LocalError):
    """A server exited, or did not become healthy in time."""


class InterruptedStartError(LocalError):
    """The user asked to stop while a program was being built or a server was coming up."""
