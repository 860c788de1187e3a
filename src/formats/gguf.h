// Reads GGUF files (v2 and v3, little-endian), single or sharded, by mapping them.
// Source: the GGUF specification (ggml repository, docs/gguf.md); layout in docs/file-formats.md.
//
// Everything in the header is checked against the file's size before it is used; a damaged or lying file
// throws Error(bad_file), a sound file of a kind we do not read throws Error(unsupported).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/tensor_view.h"

namespace r1 {

/// Type ids of metadata values, as stored.
enum class GgufType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

std::string_view name(GgufType type);

/// One metadata value; `bytes` point into the file.
struct GgufValue {
  GgufType type = GgufType::u8;
  GgufType element_type = GgufType::u8;  // of an array; else equal to type
  uint64_t count = 1;                    // elements of an array; else 1
  std::span<const std::byte> bytes;      // the stored payload; of a string: its text without the length
};

/// An open GGUF file with all its shards. Const after opening; reading from several threads is safe.
/// Tensors, strings and values point into the mappings and live as long as this object (they stay valid when
/// it is moved).
class GgufFile {
 public:
  /// Maps `path`; when it is a shard (`NAME-00002-of-00005.gguf`), all shards beside it as well. Metadata are
  /// those of the first shard. A missing or foreign shard throws Error(bad_file).
  static GgufFile open(const std::filesystem::path& path);

  /// Parses one complete, unsharded file in memory. `bytes` are not owned and must outlive the result; `name`
  /// is used in messages. For tests and fuzzing. Tensor data are aligned only if `bytes` begins at a multiple
  /// of the file's alignment.
  static GgufFile parse(std::span<const std::byte> bytes, std::string name);

  /// First words of every message about this file.
  const std::string& name() const { return name_; }
  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  /// The files it was read from, in order; none for one parsed from memory.
  const std::vector<std::filesystem::path>& shard_paths() const { return shard_paths_; }
  size_t shard_count() const { return shard_paths_.empty() ? 1 : shard_paths_.size(); }
  /// Bytes of all shards together.
  size_t total_bytes() const { return total_bytes_; }

  // --- tensors ---
  /// All tensors, shard after shard in file order.
  std::span<const TensorView> tensors() const { return tensors_; }
  const TensorView* find(std::string_view tensor_name) const;  // nullptr: absent
  /// Asks the system to load the tensor's pages now (a hint; nothing for a file parsed from memory).
  void populate(const TensorView& tensor) const;
  void release(const TensorView& tensor) const;
  void populate_all() const;

  // --- metadata ---
  std::span<const std::string_view> keys() const { return keys_; }  // in file order
  const GgufValue* find_value(std::string_view key) const;          // nullptr: absent
  bool has(std::string_view key) const { return find_value(key) != nullptr; }

  /// Sets a key of the opened file, as llama.cpp's --override-kv does: KEY=TYPE:VALUE with TYPE int, float, bool or
  /// str. Error(invalid_argument) for another form.
  void override_value(std::string_view assignment);

  // find_*: nothing when the key is absent; Error(bad_file) naming key, expected and found type when the
  // value has another type. Integers of every width are accepted where the value fits; f32 and f64 for
  // floats.
  std::optional<uint32_t> find_u32(std::string_view key) const;
  std::optional<uint64_t> find_u64(std::string_view key) const;
  std::optional<int64_t> find_i64(std::string_view key) const;
  std::optional<float> find_f32(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<std::vector<float>> find_f32s(std::string_view key) const;
  std::optional<std::vector<int32_t>> find_i32s(std::string_view key) const;

  // require_*: the same, and Error(bad_file) when the key is absent.
  uint32_t require_u32(std::string_view key) const;
  uint64_t require_u64(std::string_view key) const;
  float require_f32(std::string_view key) const;
  bool require_bool(std::string_view key) const;
  std::string_view require_string(std::string_view key) const;
  std::vector<std::string_view> require_strings(std::string_view key) const;

 private:
  friend class GgufParser;
  GgufFile() = default;
  void index_tensors();

  std::string name_;
  uint32_t version_ = 0;
  uint32_t alignment_ = 32;
  size_t total_bytes_ = 0;
  std::vector<MappedFile> mappings_;
  std::vector<std::filesystem::path> shard_paths_;
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string_view, size_t> tensor_index_;  // keys point into tensors_' names
  std::vector<std::string_view> keys_;
  std::unordered_map<std::string_view, GgufValue> values_;
  std::deque<std::string> overrides_;  // keys and payloads of override_value
};

}  // namespace r1
