// The text side of a model file: tokenizer, chat template and special tokens, from either form. One reader
// for all: what `r1 run` makes of a hub directory is what `r1 convert` writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "text/tokenizer.h"

namespace r1 {

struct Vocabulary {
  Tokenizer tokenizer;
  std::string chat_template;  // Jinja; empty: the file has none
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  /// All tokens that end an answer, ascending: eos, those that the file lists besides
  /// (generation_config.json; eot, eom and eos_token_ids of GGUF), and tokens with a name known for that
  /// ("<|im_end|>", "<|eot_id|>", …).
  std::vector<int32_t> end_of_generation;
  std::optional<int32_t> unknown;
  std::optional<int32_t> padding;
  /// What the user should know, one line each: ids that are no tokens, a pre-tokeniser that was assumed.
  std::vector<std::string> remarks;
};

/// Throws Error(bad_file) where a part is missing or damaged, Error(unsupported) for a kind of tokenizer that
/// is not known; both name the file. Does not need the weights.
Vocabulary load_vocabulary(const ModelFile& file);
/// Of a hub directory that has the tokenizer's files; weights and config.json may be absent.
Vocabulary load_vocabulary(const std::filesystem::path& directory);

}  // namespace r1
