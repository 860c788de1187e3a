// The text side of a model file: tokenizer, chat template and special tokens, from either form.
#pragma once

#include <cstdint>
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
  /// (generation_config.json, eot and eom of GGUF), and control tokens with a name known for that
  /// ("<|im_end|>", "<|eot_id|>", …).
  std::vector<int32_t> end_of_generation;
};

/// Throws Error(bad_file) where a part is missing or damaged, Error(unsupported) for a kind of tokenizer that
/// is not known. Does not need the weights.
Vocabulary load_vocabulary(const ModelFile& file);

}  // namespace r1
