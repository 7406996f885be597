"""Run the live module compiled by ``torch.compile``: for the process that has it, and in no package."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from nav_torch.channels_last import channels_last, weights_channels_last
from nav_torch.formats import TORCH
from nav_torch.inductor import emulated_bf16, settings, why_no_torch_compile, without_monitor
from nav_torch.inductor_cache import inductor_cache
from nav_torch.live import from_array, to_array
from nav_torch.products import Computed, Watch
from nav_torch.remembering import remembered
from nav_torch.restoring import evaluating, hushed, placed, threads
from nav_torch.structures import parts
from nav_torch.subject import subject, unwrapped
from navcore import Feeds, Runner, RunnerJob, Signature, StepError, Unavailable, runner
from navcore.contract import dtype_named, fill_call

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch

_MOST_SHAPES = 16
"""How often one function may be compiled anew. After that PyTorch would quietly go on without compiling."""


# The costs keep these from being the one that says what is right.
@runner(TORCH, runtime="torch-compile", cost=3.0, effort="thorough", available=why_no_torch_compile)
def run_torch_compile(job: RunnerJob[None]) -> Runner:
    """The module compiled by inductor, its weights taken as constants."""
    return _opened(job)


@runner(TORCH, runtime="torch-compile-channels-last", cost=4.0, effort="thorough", available=why_no_torch_compile)
def run_torch_compile_channels_last(job: RunnerJob[None]) -> Runner:
    """The same with pictures and the weights of convolutions channels-last."""
    return _opened(job, pictures=True)


@runner(TORCH, runtime="torch-compile-bf16", cost=5.0, effort="thorough", available=why_no_torch_compile)
def run_torch_compile_bf16(job: RunnerJob[None]) -> Runner:
    """The same with matrix products and convolutions in bfloat16, by PyTorch's own rules (autocast)."""
    return _opened(job, low=True)


def _opened(job: RunnerJob[None], *, low: bool = False, pictures: bool = False) -> Runner:
    import torch

    model = subject(job.artifact.model)
    if any(isinstance(part, torch.jit.ScriptModule) for part in model.modules()):
        raise Unavailable("The model is TorchScript, into which torch.compile cannot look.")
    with ExitStack() as opening:
        opening.enter_context(unwrapped(model))
        opening.enter_context(evaluating(model))
        opening.enter_context(remembered(model))
        device = opening.enter_context(placed(model, job.device))
        if pictures:
            opening.enter_context(weights_channels_last(model))
        count = opening.enter_context(threads(job.threads))
        compiled = opening.enter_context(_Compiled(model, device, job.signature, job.cache_dir, low=low, last=pictures))
        began = perf_counter()
        with remembered(model):
            compiled.try_out()
        seconds = perf_counter() - began
        computed = compiled.watch.computed()
        refuse_uncompiled(job.runtime, computed, compiled.watch.graphs, low=low)
        return Runner(
            compiled,
            close=opening.pop_all().close,
            provider=device,
            precision=computed.name,
            threads=count,
            notes=_notes(computed, compiled.watch.graphs, device, low=low),
            preparation=seconds,
        )


def refuse_uncompiled(runtime: str, computed: Computed, graphs: int, *, low: bool) -> None:
    """Raise :class:`navcore.Unavailable` where nothing of the model was compiled, or nothing in what was asked for."""
    if graphs == 0:
        raise Unavailable(f"{runtime} found nothing in the model that it could compile.")
    if low and computed.name != "bf16":
        told = str(computed) if computed.name else "nothing is computed in a floating-point type"
        raise Unavailable(f"{runtime} asks for bfloat16, and nothing in the model is computed in it: {told}.")


def _notes(computed: Computed, graphs: int, device: str, *, low: bool) -> tuple[str, ...]:
    notes = [f"{computed}."] if low else []
    if low and (slow := emulated_bf16(device)):
        notes.append(slow)
    if graphs > 1:
        notes.append(f"The model falls into {graphs} graphs: what is between them, Python runs.")
    return tuple(notes)


class _Compiled:
    """The compiled module, called with arrays by name; open between ``with`` and its end.

    Axes that move are compiled as such, so that another size is no reason to compile anew; a size of 1 always is.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        device: str,
        signature: Signature,
        cache_dir: Path | None,
        *,
        low: bool,
        last: bool,
    ) -> None:
        self.watch = Watch()
        self._model, self._device, self._signature, self._cache_dir = model, device, signature, cache_dir
        self._low, self._last = low, last
        self._axes = {
            spec.name: [axis for axis, size in enumerate(spec.shape) if isinstance(size, str)]
            for spec in signature.inputs
        }
        self._wide = low and not any(spec.dtype == "bfloat16" for spec in signature.outputs)
        self._called_with: set[tuple[Any, ...]] = set()
        self._stack = ExitStack()

    def __enter__(self) -> _Compiled:
        import torch

        # Jagged tensors cannot be computed with in inference mode.
        jagged = any(tensor.is_nested for tensor in self._model.buffers())
        self._quiet = torch.no_grad if jagged else torch.inference_mode
        with inductor_cache(self._cache_dir):  # where inductor is imported, it chooses a place
            self._stack.enter_context(_told_to_compile())
            self._stack.callback(self._forget)
            self._call = torch.compile(_alone(self._model), backend=self._compile)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, feeds: Feeds) -> Mapping[str, np.ndarray]:
        import torch

        signature = self._signature
        tensors = {name: self._tensor(name, feeds[name]) for name in signature.input_names}
        args, kwargs = fill_call(signature.call, tensors)
        kind = torch.device(self._device).type
        low = torch.autocast(kind, torch.bfloat16) if self._low else nullcontext()
        with self._compiling(tensors), self._quiet(), low:
            try:
                result = self._call(*args, **kwargs)
            except torch._dynamo.exc.FailOnRecompileLimitHit as error:
                raise StepError(
                    f"torch.compile compiled the model anew {_MOST_SHAPES} times, and gave up.",
                    hint="Something in it is another constant for every size, or at every call: "
                    "TORCH_LOGS=recompiles tells what.",
                ) from error
        return signature.name_outputs(result, self._array, parts)

    @contextmanager
    def _compiling(self, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """What a call needs that may have to compile, since its inputs have sizes that no call had before."""
        sizes = tuple(tensor.shape for tensor in tensors.values())
        if sizes in self._called_with:
            yield
            return
        with inductor_cache(self._cache_dir), without_monitor(), hushed():
            yield
        self._called_with.add(sizes)

    def _tensor(self, name: str, array: np.ndarray) -> torch.Tensor:
        import torch

        tensor: torch.Tensor = from_array(array, None if self._device == "cpu" else self._device)
        if self._last and (layout := channels_last(tensor)) is not None:
            tensor = tensor.contiguous(memory_format=layout)
        for axis in self._axes[name]:
            torch._dynamo.maybe_mark_dynamic(tensor, axis)
        return tensor

    def _array(self, value: Any) -> np.ndarray | None:
        """What autocast leaves in bfloat16 is given out in the type that the source returns."""
        import torch

        if self._wide and isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16:
            value = value.float()
        return to_array(value)

    def try_out(self) -> None:
        """Call it once on made-up data of the usual sizes, so that it is compiled."""
        import numpy as np

        usual = {axis.symbol: axis.typical for axis in self._signature.axes}
        shapes = {
            spec.name: tuple(usual.get(size, 2) if isinstance(size, str) else size for size in spec.shape)
            for spec in self._signature.inputs
        }
        kinds = {spec.name: dtype_named(spec.dtype) for spec in self._signature.inputs}
        try:
            self({name: np.ones(shape, kinds[name]) for name, shape in shapes.items()})
        except StepError:
            raise
        except Exception:  # a model may refuse one made-up number and take another
            self({name: np.zeros(shape, kinds[name]) for name, shape in shapes.items()})

    def _compile(self, module: torch.fx.GraphModule, examples: Any) -> Callable[..., Any]:
        """What torch.compile calls with every graph that it has found."""
        from torch._inductor.compile_fx import compile_fx, compile_fx_inner

        def watched(inner: torch.fx.GraphModule, *given: Any, **options: Any) -> Any:
            self.watch.look(inner)
            return compile_fx_inner(inner, *given, **options)

        compiled: Any = compile_fx(module, examples, inner_compile=watched)
        return cast("Callable[..., Any]", compiled)

    def _forget(self) -> None:
        """Let go of what was compiled. Where the model breaks apart, it hangs on the model's own functions."""
        from torch._dynamo.eval_frame import remove_from_cache

        del self._call
        if self.watch.graphs > 1:
            for kind in {type(part) for part in self._model.modules()}:
                if (code := getattr(kind.forward, "__code__", None)) is not None:
                    remove_from_cache(code)


@contextmanager
def _told_to_compile() -> Iterator[None]:
    """What the whole process is told as long as a compiled model is open; set back afterwards."""
    with hushed():
        import torch._dynamo.config
        import torch._inductor.config
    with (
        torch._inductor.config.patch(settings()),
        torch._dynamo.config.patch(
            recompile_limit=_MOST_SHAPES, fail_on_recompile_limit_hit=True, suppress_errors=False, disable=False
        ),
    ):
        yield


def _alone(model: torch.nn.Module) -> Callable[..., Any]:
    """A call of the model with code of its own: what is compiled of it hangs on that code, and goes with it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return model(*args, **kwargs)

    made = partial(types.FunctionType, call.__code__.replace(), call.__globals__, call.__name__)
    return made(None, call.__closure__)
