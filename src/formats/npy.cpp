#include "formats/npy.h"

#include <string>
#include <string_view>

#include "base/error.h"
#include "formats/output_file.h"

namespace r1 {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

}  // namespace

void write_npy(const std::filesystem::path& path, std::span<const int64_t> shape,
               std::span<const float> values) {
  uint64_t product = 1;
  for (int64_t extent : shape) product *= static_cast<uint64_t>(extent);
  if (product != values.size()) {
    throw_error(ErrorKind::invalid_argument, "{}: shape has {} elements, but {} values were given",
                path.string(), product, values.size());
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (int64_t extent : shape) header += fmt::format("{},", extent);
  header += "), }";
  constexpr size_t kPreambleBytes = 10;
  header.append((64 - (kPreambleBytes + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());
  OutputFile file(path);
  file.write(kMagic);
  file.write(std::string_view("\x01\x00", 2));
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  file.write(std::as_bytes(values));
  file.finish();
}

}  // namespace r1
