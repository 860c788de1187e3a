// A model's weights and metadata on disk, in whichever form: a GGUF file or a hub directory.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/gguf.h"
#include "formats/hub_directory.h"

namespace r1 {

/// Shared and const: whoever holds the pointer keeps the mappings, and so every TensorView's data, alive.
/// Reading from several threads is safe.
class ModelFile {
 public:
  enum class Form { gguf, hub };

  /// `path` is a .gguf file (any shard of a sharded one) or a hub directory. Throws Error.
  /// `overrides`: GgufFile::override_value; Error(invalid_argument) for a hub directory, whose config.json can be
  /// edited.
  static std::shared_ptr<const ModelFile> open(const std::filesystem::path& path,
                                               std::span<const std::string> overrides = {});

  /// `base` with some of its tensors replaced by memory of the caller's, which must outlive the result: a
  /// model that is bound to it computes with that memory. Names must exist in `base`, with the same shape.
  static std::shared_ptr<const ModelFile> with_tensors(const std::shared_ptr<const ModelFile>& base,
                                                       std::vector<TensorView> tensors);
  /// A hub directory that is nowhere on disk: its config.json and its tensors (memory of the caller's).
  static std::shared_ptr<const ModelFile> in_memory(nlohmann::json config, std::vector<TensorView> tensors);

  Form form() const { return gguf() != nullptr ? Form::gguf : Form::hub; }
  const GgufFile* gguf() const {
    return base_ ? base_->gguf() : gguf_ ? &*gguf_ : nullptr;
  }  // nullptr for a hub directory
  const HubDirectory* hub() const {
    return base_ ? base_->hub() : hub_ ? &*hub_ : nullptr;
  }  // nullptr for a GGUF file

  const std::filesystem::path& path() const { return path_; }
  /// All files that were read; none for one in memory.
  std::vector<std::filesystem::path> files() const;
  /// What the user should know about the files, one line each.
  std::span<const std::string> remarks() const;
  const TensorView* find(std::string_view name) const;  // by the name in the file; nullptr: absent
  std::span<const TensorView> tensors() const;
  /// Bytes of all files of the model.
  size_t total_bytes() const;
  /// Asks the system to load these pages now (a hint).
  void populate(const TensorView& tensor) const;
  /// The tensor will not be used for long: its pages may go. Not for replaced tensors.
  void release(const TensorView& tensor) const;
  void populate_all() const;

 private:
  ModelFile() = default;
  void index_tensors();

  std::filesystem::path path_;
  std::optional<GgufFile> gguf_;
  std::optional<HubDirectory> hub_;
  std::shared_ptr<const ModelFile> base_;  // with_tensors: what is not replaced
  std::vector<TensorView> tensors_;        // with_tensors, in_memory: all tensors
  std::unordered_map<std::string_view, size_t> tensor_index_;
};

/// Error(invalid_argument) when `output`, or what it links to, is one of the model's files.
void require_apart(const std::filesystem::path& output, const ModelFile& model);

}  // namespace r1
