"""The accelerator: recorder, headers and packing in C behind the interfaces of OpenTelemetry."""
