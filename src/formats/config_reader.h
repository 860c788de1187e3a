// Typed, checked reading of a model's configuration in either form: GGUF metadata or a hub's config.json.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "formats/model_file.h"

namespace r1 {

/// One setting's name in both forms. GGUF names stand without the architecture ("block_count" for
/// "llama.block_count"). Empty: the form has no such setting.
struct ConfigKey {
  std::string_view gguf;
  std::string_view hub;
};

/// Reads settings of one model file, which must outlive the reader. find_* give nothing for an absent (or
/// null) setting; the others throw Error(bad_file) that names file and key. Wrong types and values out of
/// range are Error(bad_file) in all. Const.
class ConfigReader {
 public:
  /// `architecture`: the prefix of GGUF keys.
  ConfigReader(const ModelFile& file, std::string architecture);

  bool is_gguf() const { return file_->gguf() != nullptr; }
  bool has(ConfigKey key) const;

  int64_t integer(ConfigKey key, int64_t least, int64_t most) const;
  std::optional<int64_t> find_integer(ConfigKey key, int64_t least, int64_t most) const;
  double number(ConfigKey key, double least, double most) const;
  std::optional<double> find_number(ConfigKey key, double least, double most) const;
  bool flag(ConfigKey key) const;
  std::optional<bool> find_flag(ConfigKey key) const;
  std::string text(ConfigKey key) const;
  std::optional<std::string> find_text(ConfigKey key) const;

  /// Error(unsupported) naming key and values unless `value` is one of `known`.
  void require_known(ConfigKey key, std::string_view value,
                     std::initializer_list<std::string_view> known) const;
  /// Error(unsupported) when the flag is present and true: something this program does not do.
  void refuse_true(ConfigKey key) const;

  /// "path: key", the beginning of messages.
  std::string where(ConfigKey key) const;

  /// A reader of an object inside a hub's config.json; nothing when it is absent or null, or for GGUF.
  std::optional<ConfigReader> find_object(std::string_view hub_key) const;

 private:
  std::string full_key(ConfigKey key) const;
  const nlohmann::json* find_json(ConfigKey key) const;

  const ModelFile* file_;
  std::string prefix_;
  const nlohmann::json* object_ = nullptr;  // of a hub config
};

}  // namespace r1
