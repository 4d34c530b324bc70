"""The Msg and Query services of three chain modules.

The Python beside each ``.proto`` is generated; a test says when it is not what protoc makes of it. To make it anew::

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. examples/virtengine/protos/*.proto
"""
