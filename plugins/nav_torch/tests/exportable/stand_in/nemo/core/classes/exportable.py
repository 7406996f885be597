"""NeMo's mix-in: the hooks with their defaults, and an ``export`` that tells whose it is."""

from __future__ import annotations

from abc import ABC
from typing import Any


class Exportable(ABC):  # noqa: B024  (as NeMo's)
    """What NeMo's exportable classes derive from."""

    @property
    def input_module(self) -> Any:
        return self

    @property
    def output_module(self) -> Any:
        return self

    def export(self, output: str, input_example: Any = None, **arguments: Any) -> tuple[list[str], list[str]]:
        return [output], ["exported by NeMo"]

    @property
    def disabled_deployment_input_names(self) -> list[str]:
        return []

    @property
    def disabled_deployment_output_names(self) -> list[str]:
        return []

    @property
    def supported_export_formats(self) -> list[str]:
        return ["ONNX", "TORCHSCRIPT"]

    def _prepare_for_export(self, **kwargs: Any) -> None:  # noqa: B027
        pass

    def _export_teardown(self) -> None:  # noqa: B027
        pass

    @property
    def input_names(self) -> list[str]:
        return [name for name in self.input_types_for_export if name not in self.disabled_deployment_input_names]

    @property
    def output_names(self) -> list[str]:
        return [name for name in self.output_types_for_export if name not in self.disabled_deployment_output_names]

    @property
    def input_types_for_export(self) -> Any:
        return self.input_types  # type: ignore[attr-defined]

    @property
    def output_types_for_export(self) -> Any:
        return self.output_types  # type: ignore[attr-defined]

    def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> dict[str, list[int]]:
        return {name: [0] for name in self.input_names}

    def get_export_subnet(self, subnet: str | None = None) -> Any:
        return self if subnet in (None, "self") else getattr(self, str(subnet))

    def list_export_subnets(self) -> list[str]:
        return ["self"]

    def get_export_config(self) -> dict[str, Any]:
        return getattr(self, "export_config", {})

    def set_export_config(self, args: dict[str, Any]) -> None:
        config = self.get_export_config()
        config.update(args)
        self.export_config = config
