"""The mix-in that gives a PyTorch module an ``export`` method and the hooks that shape it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.config import UNDECLARED
from nav_torch.exportable.request import DEFAULT_OPSET, Exporter, Request, export_defaults
from nav_torch.exportable.result import ExportResult
from nav_torch.exportable.switching import Mixing
from nav_torch.replacing import replace_for_export

if TYPE_CHECKING:
    from navcore import Format, Provided


class _Hook(property):
    """A hook with a default that an instance may also set as a plain attribute. TorchScript leaves properties alone."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        name = self.fget.__name__  # type: ignore[union-attr]
        return self if owner is None else vars(owner)[name] if name in vars(owner) else super().__get__(owner, kind)

    def __set__(self, owner: Any, value: Any) -> None:
        vars(owner)[self.fget.__name__] = value  # type: ignore[union-attr]


class Exportable(metaclass=Mixing):
    """Makes a module exportable: ``class Encoder(torch.nn.Module, Exportable)``.

    The mix-in has no state and needs no ``__init__``. Hooks that a class may bring, as a property, method or plain
    attribute:

    * ``input_example``: a tuple of tensors, one per parameter of the exported method; the last element may be a dict
      of arguments by name. A method may take ``max_batch`` and ``max_dim``, from which a second example is made.
    * ``input_types``, ``output_types``: name → :class:`TensorType` (or what :func:`as_tensor_type` accepts), in order.
      ``input_types_for_export`` and ``output_types_for_export`` come before them; ``input_names`` and ``output_names``
      choose and order the names.
    * ``forward_for_export``: exported in place of ``forward``.
    * ``axis_ranges``: axis → (minimum, typical, maximum); ``dynamic_axis_names``: the only names that are dynamic.
    * ``export_replacements``: class name → function, see :func:`replace_for_export`.
    * ``export_subnet_links``: part → {input: ``"earlier part.output"``}, for parts that feed each other under other
      names.
    * ``export_config``: option → default, the options that change what is exported. During an export it holds their
      values, for hooks and the exported method; see :meth:`set_export_config`.

    The other hooks are the members of this class.
    """

    # TorchScript compiles every property of a class that is not listed here, used or not; hooks are not for it.
    __jit_unused_properties__ = (
        "axis_ranges",
        "disabled_deployment_input_names",
        "disabled_deployment_output_names",
        "dynamic_axis_names",
        "export_replacements",
        "input_example",
        "input_module",
        "input_names",
        "input_types",
        "input_types_for_export",
        "output_module",
        "output_names",
        "output_types",
        "output_types_for_export",
        "supported_export_formats",
    )

    if TYPE_CHECKING:
        export_config: Mapping[str, Any]
    else:
        export_config = UNDECLARED  # TorchScript would compile the annotations of a class

    @property
    def input_module(self) -> Any:
        """The module whose ``input_example`` and ``input_types`` count: this one."""
        return self

    @property
    def output_module(self) -> Any:
        """The module whose ``output_types`` count: this one."""
        return self

    @_Hook
    def input_types_for_export(self) -> Mapping[str, Any] | None:
        """What counts in place of ``input_types`` in an export: nothing else, unless overridden."""
        return getattr(self.input_module, "input_types", None)

    @_Hook
    def output_types_for_export(self) -> Mapping[str, Any] | None:
        """What counts in place of ``output_types`` in an export: nothing else, unless overridden."""
        return getattr(self.output_module, "output_types", None)

    @_Hook
    def input_names(self) -> Sequence[str]:
        """The names of the inputs that are exported, in order: those of the types, without the disabled ones."""
        from nav_torch.exportable.naming import declared_types

        return tuple(declared_types(self, "input") or ())

    @_Hook
    def output_names(self) -> Sequence[str]:
        """The names of the outputs that are exported, in order: those of the types, without the disabled ones."""
        from nav_torch.exportable.naming import declared_types

        return tuple(declared_types(self, "output") or ())

    @property
    def disabled_deployment_input_names(self) -> Iterable[str]:
        """Names of inputs, or of parameters, that are not exported: none."""
        return set()

    @property
    def disabled_deployment_output_names(self) -> Iterable[str]:
        """Names of outputs that are not exported: none."""
        return set()

    @property
    def supported_export_formats(self) -> Iterable[Format | str] | None:
        """The formats that this class may be exported to, by name (``"onnx"``, ``"torchscript"``); ``None``: all."""
        return None

    def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> Mapping[str, Any]:
        """Which axes are dynamic, and how they are related: name → {axis: size}; by default what the types declare.

        A size is a ``torch.export.Dim``, one derived from it (``4 * time``), or a name; a number or ``None`` fixes the
        axis, and so does leaving it out. Inputs and outputs that are left out have the axes that their types declare.
        The range of a ``Dim`` holds the sizes that the axis has to take, as in ``axis_ranges``.

        ``use_dynamo`` tells whether the exporter that is tried first captures the model by ``torch.export``: it does
        for ``.pt2`` and ONNX by the dynamo exporter. Not asked with ``dynamic_axes=`` or ``use_dynamic_axes=False``.
        """
        from nav_torch.exportable.shapes import default_shapes

        return default_shapes(self)

    def list_export_subnets(self) -> Sequence[str]:
        """The parts that are exported, a file each; the one that receives the input first. By default the whole."""
        return ("self",)

    def get_export_subnet(self, subnet: str | None = None) -> Any:
        """The part of that name: the whole for ``"self"``, else the attribute."""
        return self if subnet in (None, "self") else getattr(self, str(subnet))

    def get_export_config(self) -> dict[str, Any]:
        """A copy of the options that change the export: what was set, and the defaults of what was not."""
        from nav_torch.exportable.config import read_config

        return read_config(self)

    def set_export_config(self, config: Mapping[str, Any]) -> None:
        """Change options of the export; those not named stay as they are.

        A class declares its options with their defaults in the attribute ``export_config``; one that declares none
        takes any. Texts, as they come from a command line, are read as the kind of the default: ``"False"`` is
        ``False``. A model of several parts may override this and pass options on to them.

        Raises:
            OptionError: an option that the class does not declare, or a value of another kind than its default.
        """
        from nav_torch.exportable.config import ATTRIBUTE, changed_config

        vars(self)[ATTRIBUTE] = changed_config(self, config, f"{type(self).__name__}.set_export_config")

    def _prepare_for_export(self, **kwargs: Any) -> None:
        """Modify the module in place for the export; called once, before anything is named or run.

        ``kwargs`` are all arguments of :meth:`export` by name, with ``input_example`` resolved. An override does its
        own work and calls this one, which makes the common replacements: :func:`replace_for_export`, with
        ``replace_1D_2D``. On a module inside an exported one it is called with ``noreplace=True`` and does nothing.
        """
        if not kwargs.get("noreplace", False):
            replace_for_export(self, kwargs.get("replace_1D_2D", False))  # type: ignore[arg-type]

    def _export_teardown(self) -> None:
        """Undo what should not outlast the export; called after it, whatever happened."""

    def _provided_for_run(self) -> AbstractContextManager[Provided]:
        """What this module lends to a run that was given no data; nav-torch knows the mix-in by this method."""
        from nav_torch.exportable.providing import provided

        return provided(self, export_defaults(Exportable.export))

    def export(
        self,
        output: str | os.PathLike[str],
        input_example: Any = None,
        output_example: Any = None,
        verbose: bool = False,
        export_params: bool = True,
        do_constant_folding: bool = True,
        keep_initializers_as_inputs: bool = False,
        onnx_opset_version: int | None = DEFAULT_OPSET,
        try_script: bool = False,
        set_eval: bool = True,
        check_trace: bool | Sequence[Any] = False,
        use_dynamic_axes: bool = True,
        dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None,
        check_tolerance: float = 0.01,
        *,
        exporter: Exporter = "auto",
        inplace: bool = True,
        axis_ranges: Mapping[str, tuple[int, int, int]] | None = None,
        replace_1D_2D: bool = False,  # noqa: N803  (the page's name)
        export_config: Mapping[str, Any] | None = None,
        use_dynamo: bool | None = None,
        export_modules_as_functions: Any = False,
    ) -> ExportResult:
        """Export this module to one file, or every part that ``list_export_subnets`` names to one of its own.

        Args:
            output: the file, in a folder that exists; ``.onnx`` is ONNX, ``.pt`` and ``.ts`` TorchScript, ``.pt2`` an
                ExportedProgram. The files of parts are called ``encoder-NAME.onnx``.
            input_example: tensors for the exported method, the last element may be a dict of arguments by name; by
                default what ``input_example`` of the input module gives.
            output_example: what the file has to return for the example; by default what the module returns.
            verbose: log the written graph, or TorchScript's code, to the logger ``nav_torch``.
            export_params: ``False`` leaves the weights out of an ONNX file; they become inputs.
            do_constant_folding: compute constants of an ONNX graph beforehand.
            keep_initializers_as_inputs: list the weights of an ONNX file as inputs, too.
            onnx_opset_version: the ONNX opset to write, exactly; ``None`` leaves it to the exporter. The default may
                become 18 for a model that cannot be written in 13, which a warning tells.
            try_script: try ``torch.jit.script`` before ``torch.jit.trace``; for TorchScript only.
            set_eval: export in evaluation mode. ``False`` exports the mode that the module is in, to ONNX (by the
                TorchScript-based exporter) or TorchScript.
            check_trace: run the file and compare it with the module, on the example and, with dynamic axes, at other
                sizes; a list gives further examples to compare on.
            use_dynamic_axes: ``False`` fixes every axis at the example's size.
            dynamic_axes: ``{tensor: {axis: name}}`` or ``{tensor: [axes]}``, in place of what the types declare.
            check_tolerance: numbers agree when |file − module| ≤ check_tolerance · (1 + |module|); integers have
                to be equal.
            exporter: ``"torchscript"`` or ``"dynamo"`` in place of whichever writes the opset and passes the check.
            inplace: ``False`` exports a deep copy, so that hooks do not change this module.
            axis_ranges: axis → (minimum, typical, maximum), the sizes that a dynamic axis has to take.
            replace_1D_2D: passed to ``_prepare_for_export``.
            export_config: options for this export alone, over those of :meth:`set_export_config`.
            use_dynamo: NeMo's word for ``exporter``: ``True`` is ``"dynamo"``, at opset 18 at least, ``False``
                ``"torchscript"``.
            export_modules_as_functions: accepted for NeMo's sake; PyTorch no longer writes functions.

        Returns:
            A pair of the files written and their descriptions; see :class:`ExportResult` for what it tells besides.

        Raises:
            InputError: the file's name, the example, a hook or an argument cannot be used.
            ExportError: no exporter could write the file; as CheckFailed, what it wrote returns something else. Also a
                file that nobody asked to check is run once on its own example.

        Afterwards, whatever happened, class, ``forward``, export config, training flags, ``requires_grad`` and all that
        the model's code changed in itself are as before, and there are either all files or none. What
        ``_prepare_for_export`` changed stays.
        """
        arguments = {name: value for name, value in locals().items() if name != "self"}
        from nav_torch.exportable.exporting import export_model
        from nav_torch.exportable.preparing import stage

        with stage(self, "arguments"):
            request = Request(**arguments)
        return export_model(self, request)
