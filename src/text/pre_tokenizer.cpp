#include "text/pre_tokenizer.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace r1 {
namespace {

// The published expressions: tokenizer.json of each model, "pre_tokenizer".
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

struct NamedPreTokenizer {
  std::string_view name;
  std::string_view pattern;
};

// Names as GGUF writers give them. DeepSeek-V3's three splits are built below.
constexpr std::array gguf_patterns = {
    NamedPreTokenizer{"gpt-2", gpt2_pattern},
    NamedPreTokenizer{"qwen2", qwen2_pattern},
    NamedPreTokenizer{"deepseek-r1-qwen", qwen2_pattern},
    NamedPreTokenizer{"llama-bpe", llama3_pattern},
    NamedPreTokenizer{"llama3", llama3_pattern},
    NamedPreTokenizer{"llama-v3", llama3_pattern},
};

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

PreTokenizer PreTokenizer::from_gguf_name(std::string_view name) {
  if (name == "deepseek-v3") {
    return PreTokenizer({isolated(deepseek_v3_number_pattern), isolated(deepseek_v3_kanji_kana_pattern),
                         isolated(deepseek_v3_word_pattern), ByteLevelStep{}});
  }
  std::string known = "deepseek-v3";
  for (const NamedPreTokenizer& entry : gguf_patterns) {
    if (entry.name == name) {
      return PreTokenizer({isolated(entry.pattern), ByteLevelStep{}});
    }
    known += fmt::format(", {}", entry.name);
  }
  throw_error(ErrorKind::unsupported, "tokenizer: pre-tokeniser \"{}\" is not known, expected one of {}",
              name, known);
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

}  // namespace r1
