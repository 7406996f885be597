"""Protobuf's text format, read back by protobuf."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, struct_pb2, text_format
from hypothesis import given, strategies as st

from nav_triton.text_format import Word, as_text, parameters, quoted

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_any_text_comes_back(text: str) -> None:
    written = as_text({"string_value": text})
    assert text_format.Parse(written, struct_pb2.Value()).string_value == text
    assert written.isascii()
    assert written.count("\n") == 1


@given(st.dictionaries(TEXT, TEXT))
def test_a_map_comes_back(values: dict[str, str]) -> None:
    read = text_format.Parse(as_text({"fields": parameters(values)}), struct_pb2.Struct())
    assert {key: value.string_value for key, value in read.fields.items()} == values


def test_messages_words_and_numbers() -> None:
    written = as_text(
        {
            "name": "f",
            "field": [
                {"name": "a", "number": 1, "type": Word("TYPE_BOOL"), "options": {"packed": True}},
                {"name": "b", "number": -2},
            ],
            "reserved_name": ["x", 'y"'],
        }
    )
    read = text_format.Parse(written, descriptor_pb2.DescriptorProto())
    assert [one.number for one in read.field] == [1, -2]
    assert read.field[0].type == descriptor_pb2.FieldDescriptorProto.TYPE_BOOL
    assert read.field[0].options.packed
    assert list(read.reserved_name) == ["x", 'y"']


def test_quotes_end_nothing() -> None:
    assert quoted('a" } input { name: "b') == '"a\\" } input { name: \\"b"'
    assert quoted("line\nbreak ä") == '"line\\012break \\303\\244"'
