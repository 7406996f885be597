"""The reference page's example, letter for letter, from installed wheels; each measurement is one window of 5 s.

The page's own configuration measures three to ten such windows, which is the same again and takes minutes: the test
``test_page_example.py`` does that at night.
"""

from __future__ import annotations

import functools
import runpy
from pathlib import Path

import navcore as nav

EXAMPLE = Path(__file__).with_name("reference_example.py")


def main() -> None:
    """Run the example, and look at what it leaves behind."""
    once = nav.ProfilerConfig(max_trials=1)
    assert once.measurement_interval == 5000
    nav.torch.export = functools.partial(nav.torch.export, profiler_config=once)
    names = runpy.run_path(str(EXAMPLE))
    check(names["package_desc"], names["loaded_package_desc"], windows=(1, 1))


def check(package: nav.PackageDescriptor, loaded: nav.PackageDescriptor, *, windows: tuple[int, int]) -> None:
    """Everything that the page exports to was proved, and measured at both batch sizes in that many windows."""
    least, most = windows
    for name in ("torch", "onnx", "torchscript-script", "torchscript-trace"):
        (row,) = [row for row in package.results if row.format.name == name]
        proved = [runtime for runtime in row.runtimes if runtime.status == "ok"]
        assert proved, name
        for runtime in proved:
            assert [one.batch_size for one in runtime.performance] == [1, 3], (name, runtime.runtime)
            assert all(least <= one.windows <= most for one in runtime.performance), (name, runtime.runtime)
    assert loaded.get_status(nav.Format.ONNX)
    assert loaded.get_verified_status(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU)
    print(loaded)


if __name__ == "__main__":
    main()
