"""Models that others wrote, through every exporter: how many variants are ok beside how many the raw exporters reach.

The architectures are data, ``architectures.json``: configurations of transformers, and models of torchvision, timm and
keras.applications, tiny and with random weights; nothing is downloaded. Each is taken in a process of its own, which
asks navcore for every format of its framework, calls the raw exporters as their documentation says, and then refutes:
an ok row has to agree with the model at three other sizes, on data that the run has not seen. An architecture whose
library is not installed is left out and named.

Beyond navcore's plugins it needs: transformers, torchvision, timm (and TensorFlow with Keras for the last ten).

    python benchmarks/models_of_others.py [NAME …] [--limit SECONDS] [--results FILE.jsonl]

With ``--results`` each architecture's row is appended to the file as soon as it is known, and an architecture that the
file holds already is not run again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("architectures.json")
TORCH = ("torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx")
KERAS = ("tf-savedmodel", "onnx")
DATA = ((2, 9), (2, 7), (3, 11), (2, 5))
"""Batch and length of each item of the dataloader."""
OTHERS = ((1, 6), (4, 13), (5, 8))
"""At which an ok row is asked again; none of them is in the data."""
CLOSE = 1e-3
"""Relative L2: far above rounding, far below anything that is wrong."""


def feeds(entry: dict[str, Any], batch: int, length: int, seed: int) -> dict[str, Any]:
    """Inputs of one architecture as numpy arrays."""
    import numpy as np

    random = np.random.default_rng(seed)
    sizes = {"batch": batch, "time": length}
    made = {}
    for name, rule in entry["inputs"].items():
        shape = [sizes.get(size, size) for size in rule["shape"]]
        if rule["kind"] == "ids":
            made[name] = random.integers(3, rule["below"], shape)
        elif rule["kind"] == "ones":
            made[name] = np.ones(shape, np.int64)
        else:
            made[name] = random.standard_normal(shape).astype(np.float32)
    return made


def build(entry: dict[str, Any]) -> Any:
    """The model with random weights, the same every time; what comes out of it has signal."""
    library, name, settings = entry["library"], entry["model"], entry["settings"]
    if library == "keras":
        import keras

        keras.utils.set_random_seed(0)
        return settled_keras(getattr(keras.applications, name)(**settings), entry)
    import torch

    torch.manual_seed(0)
    if library == "transformers":
        import transformers

        config = getattr(transformers, entry["config"])(**settings)
        return getattr(transformers, name)(config).eval()
    if library == "timm":
        import timm

        return settled_torch(timm.create_model(name, pretrained=False, **settings), entry)
    import torchvision

    return settled_torch(torchvision.models.get_model(name, weights=None, **settings), entry)


def settled_torch(model: Any, entry: dict[str, Any]) -> Any:
    """The model once its normalisations have seen data; without, values vanish on the way, and nothing is judged."""
    import torch

    norms = [part for part in model.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the plain mean of what it sees
    with torch.no_grad():
        for number in range(3 if norms else 0):
            model.train()(torch.from_numpy(feeds(entry, 8, 8, seed=1000 + number)["x"]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model.eval()


def settled_keras(model: Any, entry: dict[str, Any]) -> Any:
    """The same of a model of Keras."""
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.3
    for number in range(5 if norms else 0):
        model(feeds(entry, 8, 8, seed=1000 + number)["x"], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return model


class Source:
    """The live model on named arrays; ``names`` chooses and orders its outputs once they are known."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.entry = entry
        self.keras = entry["library"] == "keras"
        self.by_name = entry["library"] == "transformers"
        self.model = build(entry)

    def item(self, arrays: dict[str, Any]) -> Any:
        """The arrays as one item of a dataloader, as the model takes it."""
        if self.keras:
            return arrays["x"]
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return tensors if self.by_name else tensors["x"]

    def outputs(self, arrays: dict[str, Any]) -> list[Any]:
        """Every tensor of the result, in order."""
        import numpy as np

        item = self.item(arrays)
        if self.keras:
            return [np.asarray(self.model(item, training=False))]
        import torch

        with torch.inference_mode():
            return arrays_of(self.model(**item) if self.by_name else self.model(item))


def arrays_of(result: Any) -> list[Any]:
    """The tensors of a result of PyTorch as arrays."""
    from nav_torch.live import is_tensor
    from nav_torch.structures import parts
    from navcore.contract import flatten_result

    return [tensor.detach().numpy() for _, tensor in flatten_result(result, is_tensor, parts)]


def agrees(expected: list[Any], found: list[Any]) -> bool:
    """Whether two lists of arrays are the same within rounding."""
    import numpy as np

    if len(expected) != len(found) or any(a.shape != np.asarray(b).shape for a, b in zip(expected, found, strict=True)):
        return False
    return all(
        np.linalg.norm(a - b) <= CLOSE * max(float(np.linalg.norm(a)), 1e-6)
        for a, b in zip(expected, found, strict=True)
    )


def raw_torch(source: Source, folder: Path) -> dict[str, bool]:
    """What each exporter of PyTorch reaches: it exports, loads, and agrees at the example's own size."""
    import torch

    arrays = feeds(source.entry, *DATA[0], seed=1)
    item, expected = source.item(arrays), source.outputs(arrays)
    args, kwargs = ((), item) if source.by_name else ((item,), {})
    dims = {"batch": torch.export.Dim.AUTO, "time": torch.export.Dim.AUTO}
    moving = {
        name: {axis: dims[size] for axis, size in enumerate(rule["shape"]) if size in dims}
        for name, rule in source.entry["inputs"].items()
    }
    shapes: Any = moving if source.by_name else (moving["x"],)

    def scripted() -> list[Any]:
        torch.jit.script(source.model).save(str(folder / "script.pt"))
        loaded: Any = torch.jit.load(str(folder / "script.pt"))
        return arrays_of(loaded(*args, **kwargs))

    def traced() -> list[Any]:
        made: Any = torch.jit.trace(
            source.model,
            example_inputs=None if source.by_name else item,
            example_kwarg_inputs=item if source.by_name else None,
            strict=False,
            check_trace=False,
        )
        made.save(str(folder / "trace.pt"))
        loaded: Any = torch.jit.load(str(folder / "trace.pt"))
        return arrays_of(loaded(*args, **kwargs))

    def exported() -> list[Any]:
        torch.export.save(torch.export.export(source.model, args, kwargs, dynamic_shapes=shapes), folder / "raw.pt2")
        return arrays_of(torch.export.load(folder / "raw.pt2").module()(*args, **kwargs))

    def onnx(dynamo: bool) -> list[Any]:
        path = str(folder / f"raw{dynamo}.onnx")
        names = list(source.entry["inputs"])
        more: Any = {"dynamic_shapes": shapes} if dynamo else {}
        torch.onnx.export(
            source.model, args, path, kwargs=kwargs, dynamo=dynamo, input_names=names, verbose=False, **more
        )
        return run_onnx(path, arrays)

    ways: dict[str, list[Any]] = {
        "torchscript-script": [scripted],
        "torchscript-trace": [traced],
        "torch-exportedprogram": [exported],
        "onnx": [lambda: onnx(True), lambda: onnx(False)],
    }
    return {name: any(reached(way, expected) for way in found) for name, found in ways.items()}


def raw_keras(source: Source, folder: Path) -> dict[str, bool]:
    """What Keras' own export and tf2onnx reach."""
    import tensorflow as tf

    arrays = feeds(source.entry, *DATA[0], seed=1)
    expected = source.outputs(arrays)

    def saved() -> list[Any]:
        source.model.export(str(folder / "saved"), verbose=False)
        loaded = tf.saved_model.load(str(folder / "saved"))  # which owns the variables
        return [loaded.serve(arrays["x"]).numpy()]

    def onnx() -> list[Any]:
        import tf2onnx

        spec = [tf.TensorSpec([None, *arrays["x"].shape[1:]], tf.float32, name="x")]
        call = tf.function(lambda x: source.model(x, training=False), input_signature=spec)
        tf2onnx.convert.from_function(call, input_signature=spec, output_path=str(folder / "raw.onnx"))
        return run_onnx(str(folder / "raw.onnx"), arrays)

    return {"tf-savedmodel": reached(saved, expected), "onnx": reached(onnx, expected)}


def run_onnx(path: str, arrays: dict[str, Any]) -> list[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    return list(session.run(None, {name: arrays[name] for name in names}))


def reached(way: Any, expected: list[Any]) -> bool:
    try:
        return agrees(expected, way())
    except Exception as error:
        print(f"  raw: {type(error).__name__}: {str(error).splitlines()[:1]}", file=sys.stderr)
        return False


def refuted(package: Any, name: str, source: Source) -> list[str]:
    """At which other sizes an ok row does not agree with the model."""
    found = []
    with package.open_runner(name) as runner:
        signature = package.record.samples.signature
        for number, (batch, length) in enumerate(OTHERS):
            arrays = feeds(source.entry, batch, length, seed=100 + number)
            named = dict(zip(signature.input_names, arrays.values(), strict=True))
            expected = source.outputs(arrays)
            try:
                answer = runner(named)
                right = agrees(expected, [answer[output] for output in signature.output_names])
            except Exception as error:
                print(f"  {name} at {batch}×{length}: {type(error).__name__}: {error}", file=sys.stderr)
                right = False
            if not right:
                found.append(f"{batch}×{length}")
    return found


def one(entry: dict[str, Any]) -> dict[str, Any]:
    """Take one architecture through both, in this process."""
    import navcore as nav

    warnings.simplefilter("ignore")
    source = Source(entry)
    targets = KERAS if source.keras else TORCH
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = [source.item(feeds(entry, *size, seed=number)) for number, size in enumerate(DATA)]
        package = nav.run(source.model, data, targets=targets, workdir=folder / "run", run_profiling=False)
        ok = [name for name in targets if package.get_status(name)]
        causes = {
            str(row.format.name): row.failure.cause
            for row in package.results
            if row.requested and row.failure is not None
        }
        wrong = {name: sizes for name in ok if (sizes := refuted(package, name, source))}
        (folder / "raw").mkdir()
        raw = (raw_keras if source.keras else raw_torch)(source, folder / "raw")
    return {"ok": ok, "raw": [name for name, reach in raw.items() if reach], "refuted": wrong, "causes": causes}


def child(name: str, limit: float) -> dict[str, Any]:
    """The same in a child; a failure is a result too."""
    command = [sys.executable, __file__, "--only", name]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {limit:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def known(path: Path | None) -> dict[str, Any]:
    """By architecture, the results that an earlier call wrote down; the last one counts, a torn line does not."""
    found: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
        with suppress(json.JSONDecodeError):
            row = json.loads(line)
            found[row.pop("name")] = row
    return found


def missing(found: dict[str, Any]) -> list[str]:
    """Formats that a raw exporter reached, and navcore did not."""
    return sorted(set(found["raw"]) - set(found["ok"]))


def show(name: str, found: dict[str, Any]) -> None:
    if "failed" in found:
        print(f"{name:32} FAILED: {found['failed']}", flush=True)
        return
    print(f"{name:32} ok {len(found['ok'])}, raw {len(found['raw'])}", flush=True)
    for format in missing(found):
        print(f"{'':32} only raw: {format}: {found['causes'].get(format, '')[:160]}")
    for format, sizes in found["refuted"].items():
        print(f"{'':32} REFUTED: {format} at {', '.join(sizes)}")


def total(results: list[dict[str, Any]]) -> str:
    done = [found for found in results if "failed" not in found]
    ours, raw, behind, refuted_rows = (
        sum(len(part(found)) for found in done)
        for part in (lambda one: one["ok"], lambda one: one["raw"], missing, lambda one: one["refuted"])
    )
    return (
        f"{len(done)} architectures: ok {ours}, raw exporters {raw}; reached only by them {behind};"
        f" ok and refuted {refuted_rows}; failed {len(results) - len(done)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="architectures of the list, by default all")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one architecture")
    parser.add_argument("--results", type=Path, help="one line of JSON for each architecture; what it holds is not run")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    entries = {entry["name"]: entry for entry in json.loads(LIST.read_text(encoding="utf-8"))}
    if asked.only:
        print(json.dumps(one(entries[asked.only])))
        return
    before, results = known(asked.results), []
    for name in asked.names or entries:
        library = entries[name]["library"]
        if name not in before and importlib.util.find_spec(library) is None:
            print(f"{name:32} left out: {library} is not installed", flush=True)
            continue
        found = before[name] if name in before else child(name, asked.limit)
        if asked.results and name not in before:
            with asked.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, **found}) + "\n")
        show(name, found)
        results.append(found)
    print(f"\n{total(results)}")


if __name__ == "__main__":
    main()
