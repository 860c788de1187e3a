#include "grade/instructions/instruction.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "grade/instructions/language.h"
#include "grade/instructions/words.h"
#include "grade/text.h"

namespace r1::grade {
namespace {

using Json = nlohmann::json;

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0;;) {
    const size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return parts;
    at = end + separator.size();
  }
}

bool compare(const Instruction& instruction, int64_t found) {
  return instruction.at_least ? found >= instruction.count : found < instruction.count;
}

int64_t count_of(std::string_view text, std::string_view part) {
  int64_t count = 0;
  if (part.empty()) return 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

/// Regular expressions' \b: a word character on one side alone.
bool has_whole_word(const std::string& text, const std::string& word) {
  const std::u32string points = code_points(text), wanted = code_points(word);
  if (wanted.empty()) return false;
  const auto is_word = [&](size_t at) { return at < points.size() && is_word_character(points[at]); };
  for (size_t at = points.find(wanted); at != std::u32string::npos; at = points.find(wanted, at + 1)) {
    const size_t end = at + wanted.size();
    const bool starts = (at > 0 && is_word(at - 1)) != is_word_character(wanted.front());
    const bool ends = is_word(end) != is_word_character(wanted.back());
    if (starts && ends) return true;
  }
  return false;
}

// --- the kinds -----------------------------------------------------------------------------------------------------

bool has_keywords(const Instruction& instruction, std::string_view answer) {
  const std::string folded = lower_case(answer);
  return std::all_of(instruction.words.begin(), instruction.words.end(), [&](const std::string& word) {
    return folded.find(lower_case(word)) != std::string::npos;
  });
}

bool has_no_forbidden_word(const Instruction& instruction, std::string_view answer) {
  const std::string folded = lower_case(answer);
  return std::none_of(instruction.words.begin(), instruction.words.end(),
                      [&](const std::string& word) { return has_whole_word(folded, lower_case(word)); });
}

bool has_keyword_often(const Instruction& instruction, std::string_view answer) {
  return compare(instruction, count_of(lower_case(answer), lower_case(instruction.text)));
}

bool is_in_language(const Instruction& instruction, std::string_view answer) {
  const std::string language = guess_language(answer);
  const std::string wanted = instruction.text.substr(0, instruction.text.find('-'));  // "zh-cn"
  return language.empty() || language == wanted;
}

/// Paragraphs separated by "***"; an empty one counts only at the ends, where it is left out.
bool has_paragraphs(const Instruction& instruction, std::string_view answer) {
  const std::vector<std::string_view> parts = split(answer, "***");
  int64_t count = std::ssize(parts);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!trim(parts[i]).empty()) continue;
    if (i != 0 && i + 1 != parts.size()) return false;
    --count;
  }
  return count == instruction.count;
}

bool has_paragraph_with_first_word(const Instruction& instruction, std::string_view answer) {
  const std::vector<std::string_view> parts = split(answer, "\n\n");
  const int64_t filled =
      std::count_if(parts.begin(), parts.end(), [](std::string_view part) { return !trim(part).empty(); });
  if (filled != instruction.paragraphs || instruction.count < 1 || instruction.count > filled) return false;
  std::string_view paragraph = trim(parts[static_cast<size_t>(instruction.count - 1)]);
  std::string_view word =
      paragraph.substr(0, std::min(paragraph.find_first_of(" \t\r\n\f\v"), paragraph.size()));
  while (word.starts_with('\'')) word.remove_prefix(1);
  while (word.starts_with('"')) word.remove_prefix(1);
  word = word.substr(0, word.find_first_of(".,?!'\""));
  return !word.empty() && lower_case(word) == lower_case(instruction.text);
}

/// "[…]" on one line.
bool has_placeholders(const Instruction& instruction, std::string_view answer) {
  int64_t count = 0;
  for (size_t at = answer.find('['); at != std::string_view::npos;) {
    const size_t end = answer.find_first_of("]\n", at);
    if (end == std::string_view::npos) break;
    count += answer[end] == ']' ? 1 : 0;
    at = answer.find('[', end);
  }
  return count >= instruction.count;
}

bool has_postscript(const Instruction& instruction, std::string_view answer) {
  const std::string text = lower_case(answer);
  const auto skip_space = [&](size_t at) { return at < text.size() && is_space(text[at]) ? at + 1 : at; };
  const auto has_at = [&](size_t at, std::string_view part) {
    return text.compare(at, part.size(), part) == 0;
  };
  const std::string marker = lower_case(instruction.text);
  for (size_t at = 0; at < text.size(); ++at) {
    if (marker == "p.s." || marker == "p.p.s") {
      if (!has_at(at, "p.")) continue;
      size_t next = skip_space(at + 2);
      if (marker == "p.p.s") {
        if (!has_at(next, "p.")) continue;
        next = skip_space(next + 2);
      }
      if (has_at(next, marker == "p.s." ? "s." : "s")) return true;
    } else if (has_at(at, marker)) {
      return true;
    }
  }
  return false;
}

/// Lines that begin with "-", or with one "*".
bool has_bullets(const Instruction& instruction, std::string_view answer) {
  int64_t count = 0;
  const std::vector<std::string_view> lines = split(answer, "\n");
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = trim(lines[i]);
    if (line.starts_with('-')) ++count;
    if (!line.starts_with('*') || line.starts_with("**")) continue;
    if (line.size() > 1 || i + 1 < lines.size()) ++count;
  }
  return count == instruction.count;
}

bool has_constrained_response(const Instruction&, std::string_view answer) {
  constexpr auto kResponses =
      std::to_array<std::string_view>({"My answer is yes.", "My answer is no.", "My answer is maybe."});
  return std::any_of(kResponses.begin(), kResponses.end(), [&](std::string_view response) {
    return answer.find(response) != std::string_view::npos;
  });
}

/// "*…*" and "**…**" with content, on one line.
int64_t count_marked(std::string_view text, std::string_view mark) {
  int64_t count = 0;
  for (size_t at = text.find(mark); at != std::string_view::npos;) {
    const size_t start = at + mark.size();
    const size_t end = text.find_first_of("*\n", start);
    if (end == std::string_view::npos) break;
    if (text.substr(end).starts_with(mark)) {
      count += trim(text.substr(start, end - start)).empty() ? 0 : 1;
      at = text.find(mark, end + mark.size());
    } else {
      at = text.find(mark, at + 1);
    }
  }
  return count;
}

bool has_highlights(const Instruction& instruction, std::string_view answer) {
  return count_marked(answer, "*") + count_marked(answer, "**") >= instruction.count;
}

/// "SECTION 1", "SECTION 2" …: the word, at most one space, digits.
bool has_sections(const Instruction& instruction, std::string_view answer) {
  int64_t count = 0;
  for (size_t at = answer.find(instruction.text); at != std::string_view::npos;
       at = answer.find(instruction.text, at + 1)) {
    size_t next = at + instruction.text.size();
    if (next < answer.size() && is_space(answer[next])) ++next;
    count += next < answer.size() && is_digit(answer[next]) ? 1 : 0;
  }
  return count >= instruction.count;
}

bool is_json(const Instruction&, std::string_view answer) {
  std::string_view text = trim(answer);
  for (std::string_view fence : {"```json", "```Json", "```JSON", "```"}) {
    if (text.starts_with(fence)) text.remove_prefix(fence.size());
  }
  if (text.ends_with("```")) text.remove_suffix(3);
  return Json::accept(trim(text));
}

bool has_title(const Instruction&, std::string_view answer) {
  for (const std::string_view line : split(answer, "\n")) {
    const size_t start = line.find("<<"), end = line.rfind(">>");
    if (start == std::string_view::npos || end == std::string_view::npos || end < start + 3) continue;
    std::string_view title = line.substr(start, end + 2 - start);
    while (title.starts_with('<')) title.remove_prefix(1);
    while (title.ends_with('>')) title.remove_suffix(1);
    if (!trim(title).empty()) return true;
  }
  return false;
}

bool has_two_responses(const Instruction&, std::string_view answer) {
  std::vector<std::string_view> filled;
  const std::vector<std::string_view> parts = split(answer, "******");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!trim(parts[i]).empty()) {
      filled.push_back(trim(parts[i]));
    } else if (i != 0 && i + 1 != parts.size()) {
      return false;
    }
  }
  return filled.size() == 2 && filled[0] != filled[1];
}

bool repeats_prompt(const Instruction& instruction, std::string_view answer) {
  return lower_case(trim(answer)).starts_with(lower_case(trim(instruction.text)));
}

bool ends_with_phrase(const Instruction& instruction, std::string_view answer) {
  std::string_view text = trim(answer);
  while (text.starts_with('"')) text.remove_prefix(1);
  while (text.ends_with('"')) text.remove_suffix(1);
  return lower_case(text).ends_with(lower_case(trim(instruction.text)));
}

bool has_capital_words(const Instruction& instruction, std::string_view answer) {
  int64_t count = 0;
  each_treebank_token(code_points(answer),
                      [&](std::u32string_view token) { count += all_upper_case(token) ? 1 : 0; });
  return compare(instruction, count);
}

/// In capitals a language is told by its words just the same.
bool is_english(std::string_view answer) {
  const std::string language = guess_language(answer);
  return language.empty() || language == "en";
}

bool is_quoted(const Instruction&, std::string_view answer) {
  const std::string_view text = trim(answer);
  return text.size() > 1 && text.front() == '"' && text.back() == '"';
}

using Check = bool (*)(const Instruction&, std::string_view);

struct Kind {
  std::string_view id;
  Check check;
  std::string_view text = {};      // the argument that Instruction::text holds
  std::string_view count = {};     // … Instruction::count
  std::string_view relation = {};  // … Instruction::at_least
  std::string_view words = {};     // … Instruction::words
};

constexpr auto kKinds = std::to_array<Kind>({
    {"keywords:existence", has_keywords, "", "", "", "keywords"},
    {"keywords:frequency", has_keyword_often, "keyword", "frequency", "relation"},
    {"keywords:forbidden_words", has_no_forbidden_word, "", "", "", "forbidden_words"},
    {"keywords:letter_frequency", has_keyword_often, "letter", "let_frequency", "let_relation"},
    {"language:response_language", is_in_language, "language"},
    {"length_constraints:number_sentences",
     [](const Instruction& i, std::string_view text) { return compare(i, count_sentences(text)); }, "",
     "num_sentences", "relation"},
    {"length_constraints:number_paragraphs", has_paragraphs, "", "num_paragraphs"},
    {"length_constraints:number_words",
     [](const Instruction& i, std::string_view text) { return compare(i, count_words(text)); }, "",
     "num_words", "relation"},
    {"length_constraints:nth_paragraph_first_word", has_paragraph_with_first_word, "first_word",
     "nth_paragraph"},
    {"detectable_content:number_placeholders", has_placeholders, "", "num_placeholders"},
    {"detectable_content:postscript", has_postscript, "postscript_marker"},
    {"detectable_format:number_bullet_lists", has_bullets, "", "num_bullets"},
    {"detectable_format:constrained_response", has_constrained_response},
    {"detectable_format:number_highlighted_sections", has_highlights, "", "num_highlights"},
    {"detectable_format:multiple_sections", has_sections, "section_spliter", "num_sections"},
    {"detectable_format:json_format", is_json},
    {"detectable_format:title", has_title},
    {"combination:two_responses", has_two_responses},
    {"combination:repeat_prompt", repeats_prompt, "prompt_to_repeat"},
    {"startend:end_checker", ends_with_phrase, "end_phrase"},
    {"change_case:capital_word_frequency", has_capital_words, "", "capital_frequency", "capital_relation"},
    {"change_case:english_capital",
     [](const Instruction&, std::string_view text) {
       return all_upper_case(code_points(text)) && is_english(text);
     }},
    {"change_case:english_lowercase",
     [](const Instruction&, std::string_view text) {
       return all_lower_case(code_points(text)) && is_english(text);
     }},
    {"punctuation:no_comma",
     [](const Instruction&, std::string_view text) { return text.find(',') == std::string_view::npos; }},
    {"startend:quotation", is_quoted},
});

const Kind& kind_of(const std::string& id) {
  const auto* found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.id == id; });
  if (found == kKinds.end())
    throw_error(ErrorKind::bad_file, "instruction '{}': not one of IF-Eval's 25", id);
  return *found;
}

const Json& argument(const std::string& id, const Json& arguments, std::string_view name) {
  const auto found = arguments.find(name);
  if (found == arguments.end() || found->is_null())
    throw_error(ErrorKind::bad_file, "instruction '{}': '{}' is missing", id, name);
  return *found;
}

std::string text_argument(const std::string& id, const Json& arguments, std::string_view name) {
  const Json& value = argument(id, arguments, name);
  if (!value.is_string())
    throw_error(ErrorKind::bad_file, "instruction '{}': '{}': expected a text, found {}", id, name,
                value.type_name());
  return value.get<std::string>();
}

int64_t count_argument(const std::string& id, const Json& arguments, std::string_view name) {
  const Json& value = argument(id, arguments, name);
  // Converters write 3 as 3.0.
  const bool is_whole =
      value.is_number_integer() ||
      (value.is_number_float() &&
       value.get<double>() == static_cast<double>(static_cast<int64_t>(value.get<double>())));
  if (!is_whole)
    throw_error(ErrorKind::bad_file, "instruction '{}': '{}': expected a whole number, found {}", id, name,
                value.dump());
  return value.get<int64_t>();
}

}  // namespace

Instruction read_instruction(const std::string& id, const Json& arguments) {
  const Kind& kind = kind_of(id);
  if (!arguments.is_object() && !arguments.is_null())
    throw_error(ErrorKind::bad_file, "instruction '{}': its arguments: expected an object", id);
  Instruction instruction;
  instruction.id = id;
  if (!kind.text.empty()) instruction.text = text_argument(id, arguments, kind.text);
  if (!kind.count.empty()) instruction.count = count_argument(id, arguments, kind.count);
  if (!kind.relation.empty()) {
    const std::string relation = text_argument(id, arguments, kind.relation);
    if (relation != "at least" && relation != "less than") {
      throw_error(ErrorKind::bad_file,
                  "instruction '{}': '{}': expected 'at least' or 'less than', found '{}'", id, kind.relation,
                  relation);
    }
    instruction.at_least = relation == "at least";
  }
  if (!kind.words.empty()) {
    for (const Json& word : argument(id, arguments, kind.words)) {
      if (!word.is_string())
        throw_error(ErrorKind::bad_file, "instruction '{}': '{}': expected texts, found {}", id, kind.words,
                    word.dump());
      instruction.words.push_back(word.get<std::string>());
    }
  }
  if (id == "length_constraints:nth_paragraph_first_word")
    instruction.paragraphs = count_argument(id, arguments, "num_paragraphs");
  return instruction;
}

bool follows(const Instruction& instruction, std::string_view answer) {
  return !trim(answer).empty() && kind_of(instruction.id).check(instruction, answer);
}

bool follows_loosely(const Instruction& instruction, std::string_view answer) {
  const size_t first_break = answer.find('\n'), last_break = answer.rfind('\n');
  const std::string_view without_first =
      first_break == std::string_view::npos ? "" : trim(answer.substr(first_break + 1));
  const std::string_view without_last =
      last_break == std::string_view::npos ? "" : trim(answer.substr(0, last_break));
  const std::string_view without_both =
      first_break == last_break ? "" : trim(answer.substr(first_break + 1, last_break - first_break - 1));
  for (const std::string_view variant : {answer, without_first, without_last, without_both}) {
    if (follows(instruction, variant)) return true;
    std::string plain(variant);
    std::erase(plain, '*');
    if (follows(instruction, plain)) return true;
  }
  return false;
}

}  // namespace r1::grade
