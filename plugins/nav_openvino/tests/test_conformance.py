"""Everything that navcore's conformance kit asks of a plugin."""

from navcore.testing.conformance import conformance

test_conformance = conformance("openvino")
