// A model as published on a hub: a directory with config.json, safetensors files and the tokenizer's files.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/boxed_json.h"
#include "formats/safetensors.h"

namespace r1 {

/// The small files. Plain data; texts are as in the files, whoever reads them checks them.
struct HubTexts {
  std::filesystem::path path;
  BoxedJson<nlohmann::json> config;  // an object; empty where there is no config.json
  std::optional<BoxedJson<nlohmann::json>> generation_config;
  std::optional<std::string> tokenizer_json;
  std::optional<std::string> tokenizer_config;
  /// chat_template.jinja, else the string `chat_template` of tokenizer_config.json (its entry named "default"
  /// when it is a list of templates).
  std::optional<std::string> chat_template;

  /// Reads what there is.
  static HubTexts open(const std::filesystem::path& path);
};

/// Const after opening.
struct HubDirectory : HubTexts {
  /// Names are those of transformers' causal models: where a file lacks the prefix "model." of all its
  /// layers, it is put there.
  SafetensorsFile weights;
  /// What the user should know about the files, one line each.
  std::vector<std::string> remarks;

  /// Opens model.safetensors or, where there is none, model.safetensors.index.json with its shards, as
  /// transformers does; when both are there, a remark says which is read. FP8 tensors get their block scales
  /// from `NAME_scale_inv` ({ceil(o/128), ceil(i/128)} float32).
  /// Four-bit tensors of bitsandbytes are unpacked (formats/bitsandbytes.h). Error(bad_file) for missing or
  /// damaged parts, Error(unsupported) for other quantisations than these and FP8 with 128 × 128 blocks.
  static HubDirectory open(const std::filesystem::path& path);

  /// The files that were read.
  std::vector<std::filesystem::path> files() const;
};

/// HubDirectory::chat_template alone.
std::optional<std::string> read_chat_template(const std::filesystem::path& directory);

}  // namespace r1
