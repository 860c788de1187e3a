// What the loaders (tokenizer_json.cpp, tokenizer_vocabulary.cpp) hand to Tokenizer. Private to src/text.
#pragma once

#include <optional>
#include <string>
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
  SpacePrefix prefix = SpacePrefix::always;
  std::vector<BytePairEncoder::Merge> merges;  // what `encoder` was made of, for Tokenizer::lists
  std::vector<float> scores;
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

/// (left, right) as written in the vocabulary.
using WrittenMerges = std::vector<std::pair<std::string_view, std::string_view>>;

/// How strict the readers of vocabularies are.
struct VocabularyRules {
  /// GGUF, as llama.cpp reads it: of a piece or a merge that is given twice one counts (the last piece, the
  /// first merge), and a merge whose parts or result are no tokens never matches. Hub, as Hugging Face's
  /// tokenizers read it: the last of equal merges counts, the others throw Error(bad_file).
  bool gguf = false;
};

/// The merges by the ids of their tokens. `skipped` (may be null) counts those that never match.
std::vector<BytePairEncoder::Merge> merges_by_id(const TokenTable& vocabulary, const WrittenMerges& merges,
                                                 const VocabularyRules& rules, int64_t* skipped);

/// The encoder of a byte-level vocabulary.
BytePairEncoder make_byte_pair_encoder(const TokenTable& vocabulary, const WrittenMerges& merges,
                                       const BytePairEncoder::Options& options, const VocabularyRules& rules,
                                       int64_t* skipped = nullptr);

/// The encoder and its data of a vocabulary whose pieces write spaces as U+2581.
SentencePieceModel make_sentence_piece_model(const TokenTable& vocabulary, std::vector<float> scores,
                                             std::vector<BytePairEncoder::Merge> merges,
                                             std::optional<int32_t> unknown, SpacePrefix prefix,
                                             const VocabularyRules& rules);

/// The bytes that a piece of such a vocabulary stands for. Error(bad_file) for a byte token that is none.
std::string sentence_piece_bytes(std::string_view piece, TokenKind kind, size_t id);

}  // namespace r1
