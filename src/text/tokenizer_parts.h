// What the loaders (tokenizer_json.cpp, tokenizer_vocabulary.cpp) hand to Tokenizer. Private to src/text.
#pragma once

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "text/added_tokens.h"
#include "text/byte_pair_encoder.h"
#include "text/pre_tokenizer.h"
#include "text/sentencepiece_encoder.h"
#include "text/token_table.h"

namespace r1 {

struct ByteLevelModel {
  PreTokenizer pre_tokenizer;
  BytePairEncoder encoder;
};

struct SentencePieceModel {
  SentencePieceEncoder encoder;
  bool add_space_prefix = true;
};

struct TokenizerParts {
  TokenTable vocabulary;
  std::variant<ByteLevelModel, SentencePieceModel> model;
  AddedTokenMatcher added;             // matched before normalisation
  AddedTokenMatcher added_normalised;  // matched after it
  bool nfc = false;
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  bool add_bos = false;
  bool add_eos = false;
};

/// The encoder of a byte-level vocabulary. `merges` are (left, right) as written in the vocabulary.
/// Throws Error(bad_file) for merges whose parts or result are no tokens, and for a missing `unknown` id.
BytePairEncoder make_byte_pair_encoder(
    const TokenTable& vocabulary, const std::vector<std::pair<std::string_view, std::string_view>>& merges,
    const BytePairEncoder::Options& options);

}  // namespace r1
