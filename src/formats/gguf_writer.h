// Writes one GGUF v3 file: metadata in the order given, tensors declared first and then streamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "formats/gguf.h"
#include "formats/output_file.h"
#include "tensor/tensor_view.h"

namespace r1 {

/// Order of calls: set_*/copy and declare_tensor in any order, then append() the tensors' bytes in the order
/// of declaration, then finish(). The file appears under its name only with finish() (OutputFile). One
/// thread. Throws Error(invalid_argument) for a key or tensor given twice, bytes that do not fit the
/// declaration, or calls out of order; Error(io) when the system refuses, also for a disk too small for the
/// declared size.
class GgufWriter {
 public:
  explicit GgufWriter(const std::filesystem::path& path);
  ~GgufWriter();

  void set_u32(std::string_view key, uint32_t value);
  void set_f32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_strings(std::string_view key, std::span<const std::string> values);
  void set_i32s(std::string_view key, std::span<const int32_t> values);
  void set_f32s(std::string_view key, std::span<const float> values);
  /// The value as another file stores it.
  void copy(std::string_view key, const GgufValue& value);

  /// `shape` outermost first, at most four dimensions.
  void declare_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape);
  uint64_t declared_bytes() const { return data_bytes_; }

  /// The next bytes of the tensor whose turn it is; may be a part, but never more than is left of it.
  void append(std::span<const std::byte> bytes);
  /// Name of the tensor that append() fills; empty when all are complete.
  std::string_view current_tensor() const;

  void finish();

 private:
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t offset;
    uint64_t bytes;
  };

  void begin_value(std::string_view key, GgufType type);
  template <typename T>
  void put(T value);
  void put_text(std::string_view text);
  void write_header();
  void skip_complete();

  OutputFile file_;
  std::string metadata_;
  uint64_t metadata_count_ = 0;
  std::unordered_set<std::string> keys_;
  std::vector<Tensor> tensors_;
  std::unordered_set<std::string> tensor_names_;
  uint64_t data_bytes_ = 0;
  bool header_written_ = false;
  size_t current_ = 0;          // tensor being filled
  uint64_t current_bytes_ = 0;  // of it, so far
};

}  // namespace r1
