"""A plugin for a machine with a device, ``DEVICE=yes`` in its surroundings: other machines cannot make its format."""

from __future__ import annotations

import json
import os

import attrs

from navcore import ConvertJob, Format, Made, Runner, RunnerJob, converter, runner

ENGINE = Format("device-engine", family="device", filename="model.engine")
RARE = Format("device-rare", family="device", filename="model.rare", data_only=True)


def _why_no_device() -> str | None:
    return None if os.environ.get("DEVICE") == "yes" else "there is no device in this machine"


@attrs.frozen
class EngineOptions:
    """``level`` stands in the file that is made."""

    level: int = 1


@converter("toy-alpha", ENGINE, options=EngineOptions, available=_why_no_device)
def engine_from_alpha(job: ConvertJob[EngineOptions]) -> Made:
    """Build for this machine's device."""
    job.output.write_text(job.source.file.read_text())
    return Made(facts={"level": str(job.options.level), "device": str(job.device)})


@converter("toy-alpha", RARE, default=False)
def rare_from_alpha(job: ConvertJob[None]) -> None:
    """Made on request."""
    job.output.write_text(job.source.file.read_text())


@runner(ENGINE, runtime="device-runtime", available=_why_no_device)
def run_engine(job: RunnerJob[None]) -> Runner:
    """Run on the device."""
    factor = json.loads(job.artifact.file.read_text())["factor"]
    return Runner(lambda feeds: {"y": (feeds["x"] * factor).astype("float32")}, provider=f"device {job.device}")


@runner(RARE, runtime="rare-runtime")
def run_rare(job: RunnerJob[None]) -> Runner:
    """Run anywhere."""
    factor = json.loads(job.artifact.file.read_text())["factor"]
    return Runner(lambda feeds: {"y": (feeds["x"] * factor).astype("float32")})
