"""Everything that navcore's conformance kit asks of a plugin."""

import pytest

from navcore.testing.conformance import conformance

# To compile takes minutes. AOTInductor in bfloat16 is made, verified and run here as well; what it shares with that in
# float32, route and runner, is tried there.
_TWIN = pytest.mark.nightly("the same code as for torch-aotinductor")
_SHARED_WITH_FLOAT32 = (
    *(
        f"{check}[torch_aotinductor_bf16_from_exportedprogram]"
        for check in ("failure_names_the_plugin", "crash_is_contained")
    ),
    *(
        f"{check}[run_aotinductor, torch-aotinductor-bf16]"
        for check in (
            *("declared_outputs_are_returned", "batches_of_one_and_three", "used_twice", "closes"),
            *("failure_names_the_plugin", "crash_is_contained"),
        )
    ),
)

test_conformance = conformance("torch", marks=dict.fromkeys(_SHARED_WITH_FLOAT32, _TWIN))
