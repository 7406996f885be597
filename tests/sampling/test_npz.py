"""Arrays come back from their files bit for bit, whatever their dtype, rank or name."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from navcore.contract.signature import dtype_named
from navcore.errors import WorkspaceError
from navcore.sampling.npz import read_arrays, read_packed, restored, write_arrays

Array = np.ndarray[Any, Any]

NATIVE = ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64", "complex64"]
REGISTERED = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4"]


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    dtype = dtype_named(draw(st.sampled_from(NATIVE + REGISTERED)))
    if dtype.name in REGISTERED:
        return draw(hnp.arrays(np.int8, shape, elements=st.integers(-8, 7))).astype(dtype)
    return draw(hnp.arrays(dtype, shape))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.dictionaries(names, arrays(), max_size=4))
def test_what_is_read_is_what_was_written(written: dict[str, Array]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.npz"
        write_arrays(path, written)
        read = read_arrays(path)
        assert list(read) == list(written)
        for name, array in written.items():
            back = restored(read[name], array.dtype.name, name)
            assert (back.dtype, back.shape) == (array.dtype, array.shape)
            assert back.tobytes() == array.tobytes()


def test_numpy_reads_the_files(tmp_path: Path) -> None:
    x = np.arange(6).reshape(2, 3)
    write_arrays(tmp_path / "0.npz", {"file": x, "a/b": x.T, "half": x.astype(dtype_named("bfloat16"))})
    with np.load(tmp_path / "0.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["file"], x)
        assert np.array_equal(archive["a/b"], x.T)
        assert archive["half"].dtype == np.uint16


def test_the_same_arrays_give_the_same_bytes_and_no_other_file_is_left(tmp_path: Path) -> None:
    for number in (0, 1):
        write_arrays(tmp_path / f"{number}.npz", {"x": np.ones(3)})
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npz", "1.npz"]


def test_a_failed_write_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    write_arrays(tmp_path / "0.npz", {"x": np.ones(3)})
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "0.npz", {"x": np.array([object()])})
    assert np.array_equal(read_arrays(tmp_path / "0.npz")["x"], np.ones(3))
    assert [path.name for path in tmp_path.iterdir()] == ["0.npz"]


def test_pickled_content_is_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", x=np.array([object()], dtype=object))
    with pytest.raises(WorkspaceError, match=r"0\.npz cannot be read"):
        read_arrays(tmp_path / "0.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_a_torn_or_missing_file_is_an_error_of_the_workspace(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.npz").write_bytes(content)
    for name in ("0.npz", "1.npz"):
        with pytest.raises(WorkspaceError, match="Take samples again"):
            read_arrays(tmp_path / name)


def test_a_compressed_array_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", x=np.zeros(1_000_000))
    with pytest.raises(WorkspaceError, match="its arrays are compressed"):
        read_arrays(tmp_path / "0.npz")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"'shape': (3,)", b"'shape': (9,)", "announces 72 bytes and holds 24"),
        (b"'<f8'", b"'|O' ", "holds objects"),
        (b"\x93NUMPY\x01", b"\x93NUMPY\x09", "unknown version"),
        (b"NUMPY", b"nUMPY", "magic string"),
        (b"'shape': (3,)", b"'shape': (-3)", "cannot be read"),
    ],
)
def test_an_array_is_what_its_header_says(tmp_path: Path, old: bytes, new: bytes, told: str) -> None:
    write_arrays(tmp_path / "0.npz", {"x": np.ones(3)})
    with zipfile.ZipFile(tmp_path / "0.npz") as archive:
        array = archive.read("x.npy")
    assert old in array
    with zipfile.ZipFile(tmp_path / "0.npz", "w") as archive:
        archive.writestr("x.npy", array.replace(old, new))
    with pytest.raises(WorkspaceError, match=told):
        read_arrays(tmp_path / "0.npz")


def test_arrays_cannot_share_their_bytes(tmp_path: Path) -> None:
    """A directory that lists one member under many names would unfold to many times the file."""
    write_arrays(tmp_path / "0.npz", {"x": np.ones(1000)})
    content = (tmp_path / "0.npz").read_bytes()
    start, end = content.index(b"PK\1\2"), content.index(b"PK\5\6")
    records = [content[start:end].replace(b"x.npy", name) for name in (b"x.npy", b"y.npy", b"z.npy")]
    directory = b"".join(records)
    ending = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 3, 3, len(directory), start, 0)
    (tmp_path / "0.npz").write_bytes(content[:start] + directory + ending)
    with pytest.raises(WorkspaceError, match="larger than the file"):
        read_arrays(tmp_path / "0.npz")


def test_another_dtype_than_declared_is_refused() -> None:
    with pytest.raises(WorkspaceError, match="'x' is stored as float32 where float16 is declared"):
        restored(np.ones(3, "float32"), "float16", "'x'")
    with pytest.raises(WorkspaceError, match="uint16 where float16"):
        restored(np.ones(3, "uint16"), "float16", "'x'")


class TestPacked:
    """Compressed arrays, which measurements are kept in."""

    def packed(self, **arrays: Any) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    def test_numbers_and_text_come_back(self) -> None:
        found = read_packed(self.packed(names=np.array(["a", "ü"]), errors=np.zeros((2, 3))), largest=1000)
        assert found["names"].tolist() == ["a", "ü"]
        assert found["errors"].shape == (2, 3)

    def test_more_than_is_allowed_is_not_unpacked(self) -> None:
        bomb = self.packed(zeros=np.zeros(1_000_000))
        assert len(bomb) < 10_000
        with pytest.raises(ValueError, match="larger than 100000 bytes"):
            read_packed(bomb, largest=100_000)

    def test_objects_are_not_unpickled(self) -> None:
        with pytest.raises(ValueError, match="holds objects"):
            read_packed(self.packed(evil=np.array([{}], dtype=object)), largest=1000)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing"])
    def test_what_is_no_archive_is_a_plain_error(self, content: bytes) -> None:
        with pytest.raises(ValueError, match=r"zip|magic"):
            read_packed(content, largest=1000)

    def test_a_damaged_array_is_a_plain_error(self) -> None:
        whole = self.packed(errors=np.arange(1000.0))
        middle = len(whole) // 2
        with pytest.raises(ValueError, match=r"CRC|decompressing|invalid"):
            read_packed(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :], largest=100_000)
