from tracing_lib.sampling.links import FollowsLinks as FollowsLinks
