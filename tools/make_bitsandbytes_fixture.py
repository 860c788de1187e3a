#!/usr/bin/env python3
"""Weights in the form that bitsandbytes gives four-bit tensors on hubs, for tests/formats/bitsandbytes_test.cpp.

Usage: make_bitsandbytes_fixture.py OUT_FOLDER            a small file with each form, and rows of it decoded
       make_bitsandbytes_fixture.py OUT_FOLDER --model DIR   the model in DIR (F32 or BF16) with its blocks' linear
                                                            layers in NF4 with double quantisation, to try things with

Written from the papers (Dettmers et al., QLoRA, 2023, and 8-bit Optimizers, 2021) and the documentation of the
serialisation, with plain searches in float64. Needs Debian's python3-numpy.
"""
import argparse
import json
import pathlib
import shutil
import struct

import numpy

from four_bit_types import NF4 as NF4_VALUES, dynamic_type

NF4 = numpy.array(NF4_VALUES, dtype="float32")
FP4 = numpy.array([0, 0.0052083333, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25,
                   0, -0.0052083333, -0.66666667, -1, -0.33333333, -0.5, -0.16666667, -0.25], dtype="float32")


def nearest(table, x):
    return numpy.abs(numpy.asarray(table, dtype="float64")[None, :] - x[:, None]).argmin(1)


def bfloat16(x):
    bits = numpy.ascontiguousarray(x, dtype="float32").view("uint32").astype("uint64")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("uint16")


def from_bfloat16(bits):
    return (bits.astype("uint32") << 16).view("float32")


def quantise(name, matrix, kind, double, dtype):
    """The tensors of one matrix, and the matrix decoded."""
    table = NF4 if kind == "nf4" else FP4
    blocks = matrix.astype("float64").reshape(-1, 64)
    largest = numpy.abs(blocks).max(1)
    codes = numpy.concatenate([nearest(table, b / max(m, 1e-30)) for b, m in zip(blocks, largest)]).astype("uint8")
    state = {"quant_type": kind, "blocksize": 64, "dtype": dtype, "shape": list(matrix.shape)}
    tensors = {name: ("U8", (codes[0::2] << 4 | codes[1::2]).reshape(-1, 1)), name + ".quant_map": ("F32", table)}
    if double:
        code = dynamic_type()
        mean = numpy.float32(largest.mean())
        shares, scales = [], []
        for first in range(0, len(largest), 256):
            part = largest[first:first + 256] - float(mean)
            scales.append(numpy.float32(numpy.abs(part).max()))
            shares.append(nearest(code, part / float(scales[-1])))
        shares = numpy.concatenate(shares).astype("uint8")
        scales = numpy.array(scales, dtype="float32")
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": float(mean)}
        tensors |= {name + ".absmax": ("U8", shares), name + ".nested_absmax": ("F32", scales),
                    name + ".nested_quant_map": ("F32", code)}
        largest = code[shares].astype("float64") * scales[numpy.arange(len(shares)) // 256] + float(mean)
    else:
        largest = largest.astype("float32")
        tensors[name + ".absmax"] = ("F32", largest)
    text = json.dumps(state).encode()
    tensors[f"{name}.quant_state.bitsandbytes__{kind}"] = ("U8", numpy.frombuffer(text, dtype="uint8"))
    decoded = (table[codes].astype("float64").reshape(-1, 64) * numpy.asarray(largest)[:, None]).reshape(matrix.shape)
    return tensors, decoded


def write(path, tensors):
    tensors = dict(sorted(tensors.items(), key=lambda item: {"F32": 0, "BF16": 1, "U8": 2}[item[1][0]]))
    header, at = {}, 0
    for name, (dtype, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            file.write(numpy.ascontiguousarray(values).tobytes())


def read(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = {"F32": "float32", "BF16": "uint16"}[entry["dtype"]]
        yield name, entry["dtype"], numpy.frombuffer(data[begin:end], dtype=kind).reshape(entry["shape"])


CONFIG = {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4",
          "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.model:
        tensors = {}
        for name, dtype, values in read(arguments.model / "model.safetensors"):
            if name.endswith("_proj.weight"):
                matrix = values if dtype == "F32" else from_bfloat16(values)
                tensors |= quantise(name, matrix, "nf4", True, "bfloat16")[0]
            else:
                tensors[name] = (dtype, values)
        for other in arguments.model.glob("*.json"):
            shutil.copy(other, arguments.out)
        config = json.loads((arguments.model / "config.json").read_text()) | {"quantization_config": CONFIG}
        (arguments.out / "config.json").write_text(json.dumps(config, indent=1))
        write(arguments.out / "model.safetensors", tensors)
        return
    random = numpy.random.RandomState(1)
    matrix = lambda rows, columns: random.normal(0, 0.02, (rows, columns)) * (1 + numpy.arange(rows) % 5)[:, None]
    tensors, expected = {"plain": ("BF16", bfloat16(matrix(2, 4)))}, {}
    for name, rows, columns, kind, double, dtype in [("double", 150, 128, "nf4", True, "bfloat16"),
                                                     ("single", 4, 64, "nf4", False, "bfloat16"),
                                                     ("narrow", 4, 32, "nf4", True, "float32"),
                                                     ("fp4", 4, 64, "fp4", False, "float32")]:
        own, decoded = quantise(name, matrix(rows, columns), kind, double, dtype)
        tensors |= own
        expected[name] = {str(row): decoded[row].tolist() for row in (0, 1, 3, 127, 128, 149) if row < rows}
    write(arguments.out / "model.safetensors", tensors)
    (arguments.out / "config.json").write_text(json.dumps({"quantization_config": CONFIG}))
    (arguments.out / "expected.json").write_text(
        json.dumps({"made_with": "tools/make_bitsandbytes_fixture.py", "rows": expected}, separators=(",", ":")))


if __name__ == "__main__":
    main()
