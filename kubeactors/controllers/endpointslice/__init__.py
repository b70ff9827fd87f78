"""EndpointSlices: the addresses behind a Service, in slices of at most 100.

`endpoints` makes a pod's endpoint and ports, `slices` packs endpoints into slices with the fewest writes, `hints`
and `trigger_time` fill in topology hints and the time of the change; `controller` reads and writes.
"""
