// Reads and writes safetensors files, single or sharded by an index.
// Source: the format's description in the safetensors repository (README, "Format").
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "formats/output_file.h"
#include "tensor/tensor_view.h"

namespace r1 {

/// One or more safetensors files seen as one set of tensors. Const after opening; reading from several
/// threads is safe. Tensors point into the mappings and live as long as this object (also when it is moved).
/// A damaged or lying file throws Error(bad_file), an element type we do not read Error(unsupported).
class SafetensorsFile {
 public:
  /// Opens one .safetensors file.
  static SafetensorsFile open(const std::filesystem::path& path);

  /// Opens the files that `model.safetensors.index.json` names, and checks that no tensor is in another file
  /// than the index says. A tensor that is in none of them does no harm unless the model needs it.
  static SafetensorsFile open_index(const std::filesystem::path& index_path);

  /// Parses one complete file in memory; `bytes` are not owned and must outlive the result. For tests and
  /// fuzzing.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& name);

  const std::string& name() const { return name_; }
  std::span<const TensorView> tensors() const { return tensors_; }  // by file, then by place in it
  const TensorView* find(std::string_view tensor_name) const;       // nullptr: absent
  /// `__metadata__` of all files.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  size_t total_bytes() const { return total_bytes_; }
  /// The files it was read from; none for one parsed from memory.
  const std::vector<std::filesystem::path>& paths() const { return paths_; }
  void populate(const TensorView& tensor) const;
  void release(const TensorView& tensor) const;
  void populate_all() const;

  /// Sets block_scales of the named tensor (hub_directory.h pairs FP8 tensors with their scales).
  void set_block_scales(std::string_view tensor_name, const float* scales);

  /// These instead of all tensors; some may lie in `memory`, which this object keeps.
  void replace(std::vector<TensorView> tensors, std::vector<std::unique_ptr<std::byte[]>> memory);

 private:
  SafetensorsFile() = default;
  void add(std::span<const std::byte> bytes, const std::string& name);
  void add_file(const std::filesystem::path& path);

  std::string name_;
  std::vector<MappedFile> mappings_;
  std::vector<std::filesystem::path> paths_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;  // of tensors that lie unaligned in the file
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string, size_t> tensor_index_;
  std::map<std::string, std::string> metadata_;
  size_t total_bytes_ = 0;
};

/// Writes one safetensors file. Declare all tensors, then append() their bytes in that order, then finish().
/// Throws Error(invalid_argument) for a name given twice, a quantised type or bytes that do not fit,
/// Error(io) when the system refuses. One thread. Tensors should be declared widest type first, so that all
/// are aligned.
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(const std::filesystem::path& path) : file_(path) {}

  void set_metadata(const std::string& key, const std::string& value) { metadata_[key] = value; }
  void declare_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape);
  void append(std::span<const std::byte> bytes);
  void finish();

 private:
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    uint64_t bytes;
  };
  void write_header();

  OutputFile file_;
  std::map<std::string, std::string> metadata_;
  std::vector<Tensor> tensors_;
  uint64_t data_bytes_ = 0;
  uint64_t data_written_ = 0;
  bool header_written_ = false;
};

}  // namespace r1
