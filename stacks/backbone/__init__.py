"""The backbone as one component of any Pulumi program: typed arguments in, placement, typed outputs."""

from stacks.backbone.component import TracingBackbone, TracingBackboneArgs

__all__ = ["TracingBackbone", "TracingBackboneArgs"]
