"""The main job on an image classifier of Keras: MobileNetV2, from TensorFlow to a package that ONNX Runtime answers.

The weights are random, so nothing is downloaded; with ``weights="imagenet"`` it is the real classifier.

    pip install navcore 'nav-tf[cpu]' 'nav-onnx[cpu]'
    python examples/tensorflow_mobilenet.py
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported

import keras
import numpy as np

import navcore as nav

PACKAGE = Path("mobilenet.nav")
PICTURES = 6


def pictures(count: int, seed: int) -> np.ndarray:
    """Blobs of colour on noise, as the model wants pictures: float32 from −1 to 1, shape (count, 224, 224, 3)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:224, 0:224] / 223
    centres = random.uniform(0.2, 0.8, (count, 2))
    distance = np.stack([np.hypot(rows - y, columns - x) for y, x in centres])
    colours = random.uniform(-1, 1, (count, 1, 1, 3))
    noise = random.uniform(-0.2, 0.2, (count, 224, 224, 3))
    return np.clip(np.exp(-8 * distance)[..., None] * colours * 2 + noise, -1, 1).astype(np.float32)


def main() -> None:
    """Run the whole job, save it, load it back, and compare what the loaded package says with Keras."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None)

    package = nav.tensorflow.export(
        model=model,
        dataloader=[pictures(2, seed) for seed in range(PICTURES)],
        model_name="mobilenet",
        override_workdir=True,
        input_names=("image",),
        output_names=("probabilities",),
        profiler_config=nav.ProfilerConfig(measurement_interval=300, max_trials=5),
        progress=nav.Console(),
    )
    print(package)
    best = package.best()
    if best is not None:
        print(f"\nBest: {best.format.name} in {best.runtime}, {best.latency:.1f} ms for one picture")

    nav.save(package, PACKAGE, override=True)
    print(f"\nWorkspace: {package.workspace}\nPackage:   {PACKAGE.resolve()} ({PACKAGE.stat().st_size / 1e6:.0f} MB)")

    loaded = nav.load(PACKAGE, workdir="navigator_workdir/loaded", override_workdir=True, retest_conversions=False)
    unseen = pictures(3, seed=99)
    with loaded.get_runner(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU) as runner:
        found = np.asarray(runner.infer({"image": unseen})["probabilities"])
    expected = np.asarray(model(unseen, training=False))
    print(f"\nClasses by the loaded package: {found.argmax(1).tolist()}")
    print(f"Classes by Keras:              {expected.argmax(1).tolist()}")


if __name__ == "__main__":
    main()
