"""nav-litert: SavedModels for phones and small boards, as LiteRT files, in 32 and 16 bits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from navcore import ConvertJob, Format, Runner, RunnerJob, converter, runner

__version__ = "0.1.0"

LITERT = Format("litert", filename="model.tflite", data_only=True, summary="LiteRT")
FP16 = Format("litert-fp16", family="litert", filename="model.tflite", precision="fp16", data_only=True)


def _why_not() -> str | None:
    return None if find_spec("ai_edge_litert") else "ai-edge-litert is not installed"


def _write(job: ConvertJob[None], half: bool) -> None:
    os.environ.setdefault("KERAS_HOME", os.devnull)  # or TensorFlow leaves a file in the user's home folder
    import tensorflow as tf

    lite = tf.lite.TFLiteConverter.from_saved_model(str(job.source.file))
    if half:
        lite.optimizations, lite.target_spec.supported_types = [tf.lite.Optimize.DEFAULT], [tf.float16]
    job.output.write_bytes(lite.convert())


@converter("tf-savedmodel", LITERT)
def litert_from_savedmodel(job: ConvertJob[None]) -> None:
    _write(job, half=False)


@converter("tf-savedmodel", FP16, default=False)
def litert_fp16_from_savedmodel(job: ConvertJob[None]) -> None:
    _write(job, half=True)


@runner(LITERT, FP16, runtime="litert-cpu", available=_why_not)
def run_litert(job: RunnerJob[None]) -> Runner:
    from ai_edge_litert.interpreter import Interpreter

    loaded = Interpreter(str(job.artifact.file), num_threads=job.threads)
    call = next(iter(loaded.get_signature_runner(key) for key in loaded.get_signature_list()))

    def answer(feeds: Mapping[str, Any]) -> dict[str, Any]:
        found = call(**feeds)
        return {name: found[name] for name in job.signature.output_names}  # LiteRT has them by the alphabet

    return Runner(answer, provider="CPU", threads=job.threads)
