#include "text/pre_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace r1 {
namespace {

// The published expressions: tokenizer.json of each model, "pre_tokenizer"; those of the DeepSeek models
// before V3 are llama.cpp's (src/llama-vocab.cpp).
constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view deepseek_v3_number_pattern = R"(\p{N}{1,3})";
constexpr std::string_view deepseek_v3_kanji_kana_pattern =
    "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+";
constexpr std::string_view deepseek_v3_word_pattern =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";

constexpr std::string_view tekken_pattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view deepseek_newline_pattern = "[\r\n]";
constexpr std::string_view deepseek_cjk_pattern = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
constexpr std::string_view deepseek_llm_letter_pattern =
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5"
    "\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba"
    "\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45"
    "\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-"
    "\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"
    "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17"
    "\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb"
    "\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+";
constexpr std::string_view deepseek_llm_punctuation_pattern =
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+";

SplitStep isolated(std::string_view pattern) {
  return {std::string(pattern), SplitBehaviour::isolated, false};
}

struct Range {
  size_t begin;
  size_t end;
  bool is_match;
};

/// Cuts `text` at the matches by a Split's behaviour, and appends the pieces.
void cut(std::string_view text, const std::vector<std::pair<size_t, size_t>>& matches,
         SplitBehaviour behaviour, bool invert, std::vector<std::string_view>& out) {
  std::vector<Range> ranges;
  size_t at = 0;
  for (const auto& [begin, end] : matches) {
    if (begin > at) {
      ranges.push_back({at, begin, invert});
    }
    ranges.push_back({begin, end, !invert});
    at = end;
  }
  if (at < text.size()) {
    ranges.push_back({at, text.size(), invert});
  }
  std::vector<Range> merged;
  bool previous = false;
  switch (behaviour) {
    case SplitBehaviour::isolated:
      merged = std::move(ranges);
      break;
    case SplitBehaviour::removed:
      std::copy_if(ranges.begin(), ranges.end(), std::back_inserter(merged),
                   [](const Range& r) { return !r.is_match; });
      break;
    case SplitBehaviour::contiguous:
      for (const Range& range : ranges) {
        if (!merged.empty() && range.is_match == previous) {
          merged.back().end = range.end;
        } else {
          merged.push_back(range);
        }
        previous = range.is_match;
      }
      break;
    case SplitBehaviour::merged_with_previous:
      for (const Range& range : ranges) {
        if (!merged.empty() && range.is_match && !previous) {
          merged.back().end = range.end;
        } else {
          merged.push_back(range);
        }
        previous = range.is_match;
      }
      break;
    case SplitBehaviour::merged_with_next:
      for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
        if (!merged.empty() && range->is_match && !previous) {
          merged.back().begin = range->begin;
        } else {
          merged.push_back(*range);
        }
        previous = range->is_match;
      }
      std::reverse(merged.begin(), merged.end());
      break;
  }
  for (const Range& range : merged) {
    out.push_back(text.substr(range.begin, range.end - range.begin));
  }
}

void split_digits(std::string_view text, bool individual, std::vector<std::string_view>& out) {
  const char* end = text.data() + text.size();
  const scan::Cursor cursor{CharacterTable::instance(), end};
  for (const char* p = text.data(); p < end;) {
    const char* next = p;
    if (!(cursor.take(next) & class_number)) {
      next = cursor.skip_until(next, class_number);
    } else if (!individual) {
      next = cursor.skip_while(next, class_number);
    }
    out.emplace_back(p, static_cast<size_t>(next - p));
    p = next;
  }
}

}  // namespace

PreTokenizer::PreTokenizer(std::vector<PreTokenizerStep> steps) : steps_(std::move(steps)) {
  for (const PreTokenizerStep& step : steps_) {
    std::string_view pattern;
    if (const auto* split = std::get_if<SplitStep>(&step)) {
      pattern = split->pattern;
    } else if (const auto* bytes = std::get_if<ByteLevelStep>(&step); bytes != nullptr && bytes->use_regex) {
      pattern = gpt2_pattern;
    } else {
      regex_of_.push_back(-1);
      continue;
    }
    regex_of_.push_back(static_cast<int>(regexes_.size()));
    regexes_.emplace_back(pattern);
  }
  scanner_ = find_scanner();
}

PreTokenizer::Scanner PreTokenizer::find_scanner() const {
  const auto split_is = [this](size_t i, std::string_view pattern) {
    const auto* split = std::get_if<SplitStep>(&steps_[i]);
    return split != nullptr && split->behaviour == SplitBehaviour::isolated && !split->invert &&
           split->pattern == pattern;
  };
  const auto* last = steps_.empty() ? nullptr : std::get_if<ByteLevelStep>(&steps_.back());
  if (last == nullptr || last->add_prefix_space) {
    return Scanner::none;
  }
  if (last->use_regex) {
    return steps_.size() == 1 ? Scanner::gpt2 : Scanner::none;
  }
  if (steps_.size() == 2) {
    return split_is(0, qwen2_pattern)    ? Scanner::qwen2
           : split_is(0, llama3_pattern) ? Scanner::llama3
           : split_is(0, gpt2_pattern)   ? Scanner::gpt2
                                         : Scanner::none;
  }
  if (steps_.size() == 4 && split_is(0, deepseek_v3_number_pattern) &&
      split_is(1, deepseek_v3_kanji_kana_pattern) && split_is(2, deepseek_v3_word_pattern)) {
    return Scanner::deepseek_v3;
  }
  return Scanner::none;
}

void PreTokenizer::run_steps(std::string_view text, PreTokenizerScratch& scratch) const {
  scratch.prefixed.clear();
  scratch.pieces.assign(1, text);
  if (text.empty()) {
    scratch.pieces.clear();
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    scratch.next_pieces.clear();
    const auto* split = std::get_if<SplitStep>(&steps_[i]);
    const auto* bytes = std::get_if<ByteLevelStep>(&steps_[i]);
    for (std::string_view piece : scratch.pieces) {
      if (const auto* digits = std::get_if<DigitsStep>(&steps_[i])) {
        split_digits(piece, digits->individual, scratch.next_pieces);
        continue;
      }
      if (bytes != nullptr && bytes->add_prefix_space && !piece.starts_with(' ')) {
        std::string& prefixed = scratch.prefixed.emplace_back(1, ' ');
        prefixed += piece;
        piece = prefixed;
      }
      if (regex_of_[i] < 0) {
        scratch.next_pieces.push_back(piece);
        continue;
      }
      scratch.matches.clear();
      regexes_[static_cast<size_t>(regex_of_[i])].find_all(piece, scratch.matches);
      cut(piece, scratch.matches, split != nullptr ? split->behaviour : SplitBehaviour::isolated,
          split != nullptr && split->invert, scratch.next_pieces);
    }
    scratch.pieces.swap(scratch.next_pieces);
  }
}

std::vector<std::string> PreTokenizer::split_by_steps(std::string_view text) const {
  PreTokenizerScratch scratch;
  run_steps(text, scratch);
  return {scratch.pieces.begin(), scratch.pieces.end()};
}

namespace {

PreTokenizer one_pattern(std::string_view pattern) {
  return PreTokenizer({isolated(pattern), ByteLevelStep{}});
}
PreTokenizer make_gpt2() {
  return PreTokenizer({ByteLevelStep{.add_prefix_space = false, .use_regex = true}});
}
PreTokenizer make_qwen2() {
  return one_pattern(qwen2_pattern);
}
PreTokenizer make_llama3() {
  return one_pattern(llama3_pattern);
}
PreTokenizer make_tekken() {
  return one_pattern(tekken_pattern);
}
PreTokenizer make_deepseek_v3() {
  return PreTokenizer({isolated(deepseek_v3_number_pattern), isolated(deepseek_v3_kanji_kana_pattern),
                       isolated(deepseek_v3_word_pattern), ByteLevelStep{}});
}
PreTokenizer make_digits_and_gpt2() {
  return PreTokenizer({DigitsStep{true}, ByteLevelStep{.add_prefix_space = false, .use_regex = true}});
}
PreTokenizer make_deepseek_coder() {
  return PreTokenizer({isolated(deepseek_newline_pattern), isolated("\\s?\\p{L}+"), isolated("\\s?\\p{P}+"),
                       isolated(deepseek_cjk_pattern), DigitsStep{true}, ByteLevelStep{}});
}
PreTokenizer make_deepseek_llm() {
  return PreTokenizer({isolated(deepseek_newline_pattern), isolated(deepseek_llm_letter_pattern),
                       isolated(deepseek_llm_punctuation_pattern), isolated("\\s+$"),
                       isolated(deepseek_cjk_pattern), DigitsStep{true}, ByteLevelStep{}});
}

// Names as llama.cpp's converter gives them, and what that program makes of each (src/llama-vocab.cpp).
constexpr NamedPreTokenizer named_pre_tokenizers[] = {
    {.name = "gpt-2", .make = make_gpt2},
    {.name = "qwen2", .make = make_qwen2, .nfc = true},
    {.name = "deepseek-r1-qwen", .make = make_qwen2, .nfc = true},
    {.name = "megrez", .make = make_qwen2, .nfc = true},
    {.name = "llama-bpe", .make = make_llama3, .ignore_merges = true, .adds_bos = true},
    {.name = "llama3", .make = make_llama3, .ignore_merges = true, .adds_bos = true},
    {.name = "llama-v3", .make = make_llama3, .ignore_merges = true, .adds_bos = true},
    {.name = "falcon3", .make = make_llama3, .ignore_merges = true, .adds_bos = true},
    {.name = "smaug-bpe", .make = make_llama3},
    {.name = "tekken", .make = make_tekken, .ignore_merges = true, .adds_bos = true},
    {.name = "smollm", .make = make_digits_and_gpt2},
    {.name = "refact", .make = make_digits_and_gpt2},
    {.name = "starcoder", .make = make_digits_and_gpt2},
    {.name = "deepseek-llm", .make = make_deepseek_llm},
    {.name = "deepseek-coder", .make = make_deepseek_coder},
    {.name = "deepseek-v3", .make = make_deepseek_v3},
};

}  // namespace

const NamedPreTokenizer& find_pre_tokenizer(std::string_view name) {
  for (const NamedPreTokenizer& named : named_pre_tokenizers) {
    if (named.name == name) {
      return named;
    }
  }
  throw_error(ErrorKind::unsupported, "tokenizer: pre-tokeniser \"{}\" is not known, expected one of {}",
              name, known_pre_tokenizers());
}

PreTokenizer PreTokenizer::from_gguf_name(std::string_view name) {
  return find_pre_tokenizer(name).make();
}

const NamedPreTokenizer* find_pre_tokenizer(const PreTokenizer& steps, bool is_r1, bool nfc,
                                            bool ignore_merges) {
  const NamedPreTokenizer* found = nullptr;
  int found_score = -1;
  for (const NamedPreTokenizer& named : named_pre_tokenizers) {
    if (named.make().steps() != steps.steps()) {
      continue;
    }
    const bool fits = named.nfc == nfc && named.ignore_merges == ignore_merges;
    const int score = (fits ? 2 : 0) + (is_r1 && named.name == "deepseek-r1-qwen" ? 1 : 0);
    if (score > found_score) {
      found = &named;
      found_score = score;
    }
  }
  return found;
}

std::string known_pre_tokenizers() {
  std::string names;
  for (const NamedPreTokenizer& named : named_pre_tokenizers) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", named.name);
  }
  return names;
}

}  // namespace r1
