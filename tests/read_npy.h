// Reads NumPy's .npy files of little-endian float32 arrays in row-major order: references of the tests.
// Source: numpy.lib.format, "Format Version 1.0" to "3.0".
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"

namespace r1 {

struct NpyArray {
  std::vector<int64_t> shape;  // outermost first
  std::vector<float> values;
};

/// The text after `'key':` in the header's Python dictionary, leading blanks removed.
inline std::string_view npy_field(std::string_view header, std::string_view key, const std::string& name) {
  const size_t found = header.find(fmt::format("'{}':", key));
  if (found == std::string_view::npos)
    throw_error(ErrorKind::bad_file, "{}: npy header lacks '{}'", name, key);
  std::string_view rest = header.substr(found + key.size() + 3);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  return rest;
}

inline std::vector<int64_t> read_npy_shape(std::string_view text, const std::string& name) {
  std::vector<int64_t> shape;
  const size_t end = text.find(')');
  if (text.empty() || text.front() != '(' || end == std::string_view::npos) {
    throw_error(ErrorKind::bad_file, "{}: npy header: expected a shape in parentheses", name);
  }
  text = text.substr(1, end - 1);
  while (true) {
    while (!text.empty() && (text.front() == ' ' || text.front() == ',')) text.remove_prefix(1);
    if (text.empty()) return shape;
    int64_t extent = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0) {
      throw_error(ErrorKind::bad_file, "{}: npy header: expected non-negative extents in the shape", name);
    }
    shape.push_back(extent);
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
  }
}

/// Little-endian float32, C order; anything else throws Error(unsupported), a damaged file Error(bad_file).
inline NpyArray read_npy(const std::filesystem::path& path) {
  const std::string name = path.string();
  const MappedFile file(path);
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (bytes.size() < 12 || !bytes.starts_with("\x93NUMPY"))
    throw_error(ErrorKind::bad_file, "{}: no npy file", name);
  const int major = static_cast<unsigned char>(bytes[6]);
  if (major < 1 || major > 3) {
    throw_error(ErrorKind::unsupported, "{}: npy version: expected 1 to 3, found {}", name, major);
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  uint32_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data() + 8, length_bytes);
  const size_t data_begin = 8 + length_bytes + header_bytes;
  if (data_begin > bytes.size()) throw_error(ErrorKind::bad_file, "{}: npy header cut short", name);
  const std::string_view header = bytes.substr(8 + length_bytes, header_bytes);
  if (!npy_field(header, "descr", name).starts_with("'<f4'") ||
      !npy_field(header, "fortran_order", name).starts_with("False")) {
    throw_error(ErrorKind::unsupported, "{}: expected little-endian float32 in C order", name);
  }
  NpyArray array;
  array.shape = read_npy_shape(npy_field(header, "shape", name), name);
  uint64_t expected = sizeof(float);
  for (int64_t extent : array.shape) {
    if (__builtin_mul_overflow(expected, static_cast<uint64_t>(extent), &expected)) {
      throw_error(ErrorKind::bad_file, "{}: npy shape overflows", name);
    }
  }
  if (expected != bytes.size() - data_begin) {
    throw_error(ErrorKind::bad_file, "{}: expected {} bytes of data, found {}", name, expected,
                bytes.size() - data_begin);
  }
  array.values.resize(expected / sizeof(float));
  if (expected != 0) std::memcpy(array.values.data(), bytes.data() + data_begin, expected);
  return array;
}

}  // namespace r1
