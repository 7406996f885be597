"""Calls as a type checker sees them: read by mypy in the session ``types``, never run.

An ``ignore`` below stands where mypy has to complain; were it to stop, the ignore would be unused, which is an error.
"""

import navcore as nav

DATA = [[1.0]]


def calls_that_are_right(model: object) -> nav.PackageDescriptor:
    nav.plan(model, DATA, targets={"onnx"}, sample_count=None, device="cuda:0", runtimes={"onnx": "cpu"})
    package = nav.run(
        model,
        DATA,
        targets=[nav.Format.ONNX, "torchscript"],
        options={"onnx": {"opset": 17}},
        input_names=("x",),
        batch_dim=None,
        progress=print,
        workdir="work",
        timeout=60,
    )
    nav.save(package, "model.nav")
    return package


def calls_that_are_wrong(model: object) -> None:
    nav.run(model, DATA, target=["onnx"])  # type: ignore[call-arg]
    nav.plan(model, DATA, targtes=["onnx"])  # type: ignore[call-arg]
    nav.run(model, DATA, input_names="x")  # type: ignore[arg-type]
    nav.run(model, DATA, run_profiling="no")  # type: ignore[arg-type]
    nav.run(model, DATA, sample_count=2.5)  # type: ignore[arg-type]
    nav.run(model, DATA, profiler_config={"batch_sizes": [1]})  # type: ignore[arg-type]
    nav.run(model, DATA, device=0)  # type: ignore[arg-type]
    nav.run(model, DATA).get_model()  # type: ignore[call-arg]


def what_is_returned(model: object) -> nav.Plan:
    return nav.run(model, DATA)  # type: ignore[return-value]
