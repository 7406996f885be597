"""Run engines on the device through Polygraphy's ``TrtRunner``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nav_trt.availability import why_no_rtx, why_no_tensorrt
from nav_trt.binding import inputs_by_name, numpy_name, outputs_by_position
from nav_trt.cuda_libraries import lend_runtime_to_polygraphy, select_device
from nav_trt.flavours import RTX, TENSORRT, Flavour, import_flavour, refuse_foreign_plan
from nav_trt.formats import RTX_FORMATS, TRT_FORMATS
from navcore import Feeds, InputError, Runner, RunnerJob, RuntimeProvider, StepError, runner

if TYPE_CHECKING:
    import numpy as np

RTX_RUNTIME = "trt-rtx"
_HOLDER = "polygraphy.backend.trt"


@runner(*TRT_FORMATS, runtime=RuntimeProvider.TRT, available=why_no_tensorrt)
def run_tensorrt(job: RunnerJob[None]) -> Runner:
    """TensorRT's own runtime; its name is the reference API's, which has the same for ONNX Runtime's provider."""
    return _open(job, TENSORRT)


@runner(*RTX_FORMATS, runtime=RTX_RUNTIME, available=why_no_rtx)
def run_tensorrt_rtx(job: RunnerJob[None]) -> Runner:
    """TensorRT-RTX's runtime, which finishes an engine for the device when it loads it."""
    return _open(job, RTX)


def _open(job: RunnerJob[None], flavour: Flavour) -> Runner:
    index = select_device(job.device)
    trt = import_flavour(flavour)
    refuse_foreign_plan(job.artifact.facts, flavour, str(trt.__version__))
    _choose_for_polygraphy(flavour)
    lend_runtime_to_polygraphy()
    from polygraphy.backend.trt import EngineFromBytes, TrtRunner
    from polygraphy.exception import PolygraphyException

    running = TrtRunner(EngineFromBytes(job.artifact.file.read_bytes()))
    try:
        running.activate()
    except PolygraphyException as error:
        built = " ".join(job.artifact.facts.get(name, "") for name in ("flavour", "version")).strip()
        raise StepError(
            f"{flavour.title} {trt.__version__} does not load the engine{f' that {built} built' if built else ''}.",
            hint="Engines are for one version and one kind of device: build it again here.",
        ) from error
    try:
        return _bound(job, trt, running, index)
    except BaseException:
        running.deactivate()
        raise


def _bound(job: RunnerJob[None], trt: Any, running: Any, index: int) -> Runner:
    names = _tensor_names(trt, running.engine)
    kinds = {name: numpy_name(running.engine.get_tensor_dtype(name)) for name in names["inputs"]}
    fed = [(name, source, kinds[name]) for name, source in inputs_by_name(names["inputs"], job.artifact).items()]
    return Runner(
        _call(running, fed, names["outputs"], job.signature.output_names),
        close=running.deactivate,
        provider=f"cuda:{index}",
        precision=job.artifact.format.precision,
        inputs=tuple(names["inputs"]),
    )


def _choose_for_polygraphy(flavour: Flavour) -> None:
    """Tell Polygraphy which of the two to use, which it settles for the whole process when it first needs one."""
    import polygraphy.config
    from polygraphy.logger import G_LOGGER

    G_LOGGER.use_python_logging_system = True  # it would print
    logging.getLogger("Polygraphy").setLevel(logging.WARNING)
    wanted = flavour is RTX
    if _HOLDER in sys.modules and wanted != polygraphy.config.USE_TENSORRT_RTX:
        raise StepError(
            f"This process runs engines of the other flavour already; {flavour.title} needs a process of its own.",
            hint="Open the runner in another process.",
        )
    polygraphy.config.USE_TENSORRT_RTX = wanted


def _tensor_names(trt: Any, engine: Any) -> Mapping[str, list[str]]:
    names: dict[str, list[str]] = {"inputs": [], "outputs": []}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        names["inputs" if is_input else "outputs"].append(name)
    return names


def _call(
    running: Any, fed: Sequence[tuple[str, str, str]], outputs: Sequence[str], known: Sequence[str]
) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    """``fed`` are for each of the engine's inputs its name, the name under which it is fed, and its dtype."""
    import numpy as np
    from polygraphy.exception import PolygraphyException

    named = dict(zip(outputs, outputs_by_position(outputs, known), strict=True))

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        given = {name: _taken(feeds, source, kind) for name, source, kind in fed}
        try:
            # Polygraphy's own check asks the engine about every input at every call, and would be measured with it.
            results = running.infer(given, check_inputs=False)
        except PolygraphyException as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in given.items())
            raise StepError(
                f"The engine does not take {shapes}: {' '.join(str(error).split())}",
                hint="An engine takes sizes within its optimization profile: give wider trt_dynamic_axes.",
            ) from error
        # Polygraphy's host buffers are used again by the next inference.
        return {named[name]: np.array(results[name]) for name in outputs}

    return call


def _taken(feeds: Feeds, name: str, kind: str) -> np.ndarray:
    import numpy as np

    if name not in feeds:
        raise InputError(f"The input {name!r} is missing.")
    array = np.asarray(feeds[name], order="C")
    if array.dtype.name != kind:  # its bytes would be taken for numbers of the engine's type
        raise InputError(f"The input {name!r} is {array.dtype.name}, and the engine takes {kind}.")
    return array
