// Splits text into the pieces that byte-level BPE works on, each alone.
//
// The published expressions of GPT-2, Qwen2, Llama-3 and DeepSeek-V3 run as hand-written scanners
// (word_scanner.h); everything else as a list of steps in the hub's meaning (tokenizer.json
// "pre_tokenizer": Sequence, Split, ByteLevel, Digits).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/regex.h"
#include "text/word_scanner.h"

namespace r1 {

enum class SplitBehaviour { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// tokenizer.json {"type": "Split"}.
struct SplitStep {
  std::string pattern;  // of a regular expression
  SplitBehaviour behaviour = SplitBehaviour::isolated;
  bool invert = false;
  bool operator==(const SplitStep&) const = default;
};

/// tokenizer.json {"type": "ByteLevel"}.
struct ByteLevelStep {
  bool add_prefix_space = false;
  bool use_regex = false;  // GPT-2's
  bool operator==(const ByteLevelStep&) const = default;
};

/// tokenizer.json {"type": "Digits"}: characters of category N.
struct DigitsStep {
  bool individual = false;
  bool operator==(const DigitsStep&) const = default;
};

using PreTokenizerStep = std::variant<SplitStep, ByteLevelStep, DigitsStep>;

/// What a call needs besides the text; reused from call to call, one caller at a time.
struct PreTokenizerScratch {
  std::vector<std::string_view> pieces;
  std::vector<std::string_view> next_pieces;
  std::vector<std::pair<size_t, size_t>> matches;
  std::deque<std::string> prefixed;
};

/// Const and safe to use from several threads.
class PreTokenizer {
 public:
  /// Throws Error for a regular expression that is not supported.
  explicit PreTokenizer(std::vector<PreTokenizerStep> steps);

  /// The pre-tokeniser that GGUF files name in `tokenizer.ggml.pre`. Throws Error(unsupported) with the
  /// known names for any other.
  static PreTokenizer from_gguf_name(std::string_view name);

  /// True when a hand-written scanner does the whole work.
  bool is_scanned() const { return scanner_ != Scanner::none; }
  const std::vector<PreTokenizerStep>& steps() const { return steps_; }

  /// Calls emit(string_view) for each piece of `text` (valid UTF-8), in order. Pieces are never empty and
  /// are valid during the call of emit only.
  template <typename Emit>
  void split(std::string_view text, PreTokenizerScratch& scratch, Emit&& emit) const {
    const char* p = text.data();
    const char* end = p + text.size();
    const CharacterTable& table = CharacterTable::instance();
    const scan::Cursor cursor{table, end};
    const auto run = [&](auto&& next_end) {
      while (p < end) {
        const char* after = next_end(cursor, p);
        emit(std::string_view(p, static_cast<size_t>(after - p)));
        p = after;
      }
    };
    switch (scanner_) {
      case Scanner::qwen2:
        return run(scan::qwen_or_llama3<1>);
      case Scanner::llama3:
        return run(scan::qwen_or_llama3<3>);
      case Scanner::gpt2:
        return run(scan::gpt2);
      case Scanner::deepseek_v3:
        return scan::deepseek_v3(table, p, end, [&](const char* from, const char* to) {
          emit(std::string_view(from, static_cast<size_t>(to - from)));
        });
      case Scanner::none:
        break;
    }
    run_steps(text, scratch);
    for (const std::string_view piece : scratch.pieces) {
      emit(piece);
    }
  }

  /// The same by the steps themselves, whatever scanner there is: the reference for the tests.
  std::vector<std::string> split_by_steps(std::string_view text) const;

 private:
  enum class Scanner { none, gpt2, qwen2, llama3, deepseek_v3 };
  void run_steps(std::string_view text, PreTokenizerScratch& scratch) const;
  Scanner find_scanner() const;

  std::vector<PreTokenizerStep> steps_;
  std::vector<Regex> regexes_;  // [steps_]; of Split and of ByteLevel with use_regex
  std::vector<int> regex_of_;   // [steps_] index into regexes_, -1 for none
  Scanner scanner_ = Scanner::none;
};

/// A pre-tokeniser that GGUF files name in `tokenizer.ggml.pre`, and what the name says of a tokenizer
/// besides.
struct NamedPreTokenizer {
  std::string_view name;
  PreTokenizer (*make)();
  bool nfc = false;            // text is normalised
  bool ignore_merges = false;  // a word that is a token is that token
  bool adds_bos = false;       // unless the file says otherwise
};

/// Error(unsupported) with the known names for any other.
const NamedPreTokenizer& find_pre_tokenizer(std::string_view name);

/// The name for a hub's steps and rules; among equals the one for R1's vocabulary where `is_r1`. Where only
/// the rules differ: a name with other rules. Null: none has these steps.
const NamedPreTokenizer* find_pre_tokenizer(const PreTokenizer& steps, bool is_r1, bool nfc,
                                            bool ignore_merges);

/// All names, for messages.
std::string known_pre_tokenizers();

}  // namespace r1
