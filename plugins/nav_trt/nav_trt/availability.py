"""Why an engine cannot be built or run on this machine: probes that touch no TensorRT library."""

from __future__ import annotations

from nav_trt.flavours import RTX, TENSORRT, why_not_installed


def why_no_device() -> str | None:
    """``None`` where the driver finds a CUDA device, else the reason why not.

    A child asks the driver (``cuInit``): TensorRT's libraries end the process that touches them without one.
    """
    from nav_onnx import why_no_device as probed

    return probed()


def why_no_tensorrt() -> str | None:
    """The reason why TensorRT can neither build nor run here, or ``None``: it needs the device for both.

    The device comes first, since no package can bring one.
    """
    return why_no_device() or why_not_installed(TENSORRT)


def why_no_rtx_builder() -> str | None:
    """The reason why TensorRT-RTX cannot build here, or ``None``: it builds without a device."""
    return why_not_installed(RTX)


def why_no_rtx() -> str | None:
    """The reason why an engine of TensorRT-RTX cannot run here, or ``None``."""
    return why_no_device() or why_not_installed(RTX)
