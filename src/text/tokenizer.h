// Text to token ids and back.
//
// Byte-level BPE from a hub's tokenizer.json or from GGUF's lists, and SentencePiece-BPE from GGUF's lists.
// Goals: the ids that the hub's own tokenizers give, at 20 MB/s and more on one core; any bytes as input.
// Non-goals: WordPiece and Unigram models, offsets into the text, truncation and padding.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// A vocabulary as lists, in the terms of GGUF's `tokenizer.ggml.*` keys. The views are read during
/// Tokenizer::from_vocabulary only.
struct VocabularyData {
  std::string model;                     // "gpt2": byte-level BPE; "llama": SentencePiece-BPE
  std::string pre;                       // for "gpt2": the pre-tokeniser's name, as "qwen2"
  std::vector<std::string_view> pieces;  // [size], written as the model kind does
  std::vector<float> scores;             // [size]; for "llama"
  std::vector<int32_t> types;  // [size] or empty: 1 normal 2 unknown 3 control 4 user-defined 5 unused 6 byte
  std::vector<std::string_view>
      merges;  // "left right", by rank; for "llama" optional: then scores don't count
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::optional<int32_t> unknown;
  std::optional<bool> add_bos;           // absent: true for "llama" and for Llama-3's pre-tokeniser
  std::optional<bool> add_eos;           // absent: false
  std::optional<bool> add_space_prefix;  // for "llama"; absent: true
  std::string space_prefix;  // for "llama": one of SpacePrefix's names; empty: by add_space_prefix
  std::function<void(const std::string&)> remark;  // on what is left out; may be empty
};

/// The same as VocabularyData, to be written into a file.
struct VocabularyLists {
  std::string model, pre, space_prefix;
  std::vector<std::string> pieces;  // empty where no token has the id
  std::vector<float> scores;        // for "llama"
  std::vector<int32_t> types;
  std::vector<std::string> merges;
  bool add_space_prefix = false;
  std::vector<std::string> remarks;  // on what the lists cannot say and text seldom shows
};

/// Whether published models write `content` as the token that ends a turn or a text: such a token is special
/// whatever its file calls it.
bool is_end_name(std::string_view content);

struct TokenizerParts;

/// Const after construction and safe to use from several threads at once. Copies share their data.
class Tokenizer {
 public:
  /// From the text of a hub's tokenizer.json and, for bos, eos and add_bos, of its tokenizer_config.json.
  /// Throws Error(bad_file) for damaged files, Error(unsupported) naming any model, normaliser,
  /// pre-tokeniser, decoder or post-processor kind that is not known.
  static Tokenizer from_hub(std::string_view tokenizer_json,
                            std::optional<std::string_view> tokenizer_config_json = std::nullopt);

  /// Throws Error as from_hub does, but takes what llama.cpp takes: pieces and merges that are given twice,
  /// merges of pieces that are no tokens, an automatic BOS without an id (`data.remark` is told).
  static Tokenizer from_vocabulary(const VocabularyData& data);

  /// What from_vocabulary needs to make a tokenizer that gives the same ids. Error(unsupported) for what the
  /// lists cannot say: another pre-tokeniser than those with a name, or one beside other rules than its name
  /// stands for.
  VocabularyLists lists() const;

  /// The tokens of `text`, without any automatic BOS or EOS. Special tokens written in the text become
  /// their ids with `parse_special`, and are text like any other without it; added tokens that are not
  /// special (<think>) always become their ids. Invalid UTF-8 is read as U+FFFD, one for each maximal
  /// invalid part. Throws Error(invalid_argument) for bytes that the vocabulary cannot express.
  std::vector<int32_t> encode(std::string_view text, bool parse_special) const;

  /// The same, appended to `out`.
  void encode(std::string_view text, bool parse_special, std::vector<int32_t>& out) const;

  /// One more than the highest id. Ids below it may be absent (no text, no bytes); a model may have more
  /// rows than its tokenizer has ids.
  int32_t size() const;

  /// Whether the id is a token: within [0, size()), and neither absent nor padding (GGUF's type "unused").
  /// Any id may be asked for.
  bool is_token(int32_t id) const;

  /// The token as its vocabulary writes it (byte-level alphabet, U+2581). Valid while the tokenizer lives.
  /// Throws Error(invalid_argument) for an id outside [0, size()), as do the next four.
  std::string_view token_text(int32_t id) const;

  /// The raw bytes that the token stands for: possibly half a character. Valid while the tokenizer lives.
  std::string_view token_bytes(int32_t id) const;

  /// Control tokens and the unknown token.
  bool is_special(int32_t id) const;

  /// Special tokens and the added ones that are not special (<think>, <tool_call>).
  bool is_added(int32_t id) const;

  /// The text of a whole sequence: valid UTF-8, with U+FFFD for bytes that are none. A vocabulary with a
  /// space prefix loses the space that encode put in front. For a stream use IncrementalDecoder.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  /// The id of the token written exactly so in the vocabulary or among the added tokens.
  std::optional<int32_t> find_special(std::string_view content) const;

  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;

  /// Whether prompts are meant to begin with bos() and to end with eos(); encode never adds them.
  bool add_bos() const;
  bool add_eos() const;

 private:
  explicit Tokenizer(TokenizerParts parts);

  struct State;
  std::shared_ptr<State> state_;  // const but for the pool of scratch spaces, which has a lock
};

}  // namespace r1
