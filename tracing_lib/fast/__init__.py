"""The accelerator: recorder, headers and packing of spans in C, behind the interfaces of OpenTelemetry.

Without this folder the library records with the SDK's own spans: the same result, at more cost. ``sdk`` says with which releases of the
SDK it may be used.
"""
