#include "server/content/prompts.h"

#include <array>
#include <ctime>
#include <utility>

#include "base/error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

using Argument = std::pair<std::string_view, std::string_view>;

std::string fill(std::string_view text, std::initializer_list<Argument> arguments) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Argument* found = nullptr;
    for (const Argument& argument : arguments) {
      if (text.substr(at).starts_with(argument.first)) found = &argument;
    }
    if (found == nullptr) {
      out += text[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

/// "[webpage 2 end]" becomes "[ webpage 2 end]".
std::string without_marks(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    if (text.substr(at).starts_with("[webpage")) out += ' ';
  }
  return out;
}

}  // namespace

std::string file_prompt(const std::vector<PromptFile>& files, const std::string& question) {
  std::string prompt = question;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    prompt = fill(file_template,
                  {{"{file_name}", file->name}, {"{file_content}", file->text}, {"{question}", prompt}});
  }
  return prompt;
}

PromptLanguage language_of(std::string_view question) {
  size_t chinese = 0, words = 0;
  bool in_word = false;
  const std::string text = repair_utf8(question);
  for (size_t at = 0; at < text.size();) {
    const DecodedCharacter character = decode_valid_utf8(text.data() + at);
    at += character.length;
    const uint32_t c = character.code_point;
    if (c >= 0x3040 && c <= 0x30ff) return PromptLanguage::english;
    const bool han =
        (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x20000 && c <= 0x3ffff);
    const bool letter = !han && (CharacterTable::instance()[c] & class_letter);
    chinese += han ? 1 : 0;
    words += letter && !in_word ? 1 : 0;
    in_word = letter;
  }
  return chinese > 2 * words ? PromptLanguage::chinese : PromptLanguage::english;
}

std::string render_search_results(const std::vector<SearchText>& results) {
  std::string out;
  for (const SearchText& result : results) {
    const Source& source = result.source;
    if (!out.empty()) out += '\n';
    out += fmt::format("[webpage {} begin]", source.number);
    out += without_marks(source.title) + '\n';
    if (source.url) out += without_marks(*source.url) + '\n';
    if (source.date) out += without_marks(*source.date) + '\n';
    out += without_marks(result.text.empty() ? source.snippet : result.text);
    out += fmt::format("[webpage {} end]", source.number);
  }
  return out;
}

std::string search_prompt(const std::vector<SearchText>& results, const std::string& question,
                          std::string_view language_sample, std::chrono::year_month_day today) {
  const PromptLanguage language = language_of(language_sample);
  return fill(language == PromptLanguage::chinese ? search_answer_zh_template : search_answer_en_template,
              {{"{search_results}", render_search_results(results)},
               {"{cur_date}", prompt_date(today, language)},
               {"{question}", question}});
}

std::string prompt_date(std::chrono::year_month_day today, PromptLanguage language) {
  static constexpr std::array<const char*, 7> days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
  static constexpr std::array<const char*, 7> days_zh{"日", "一", "二", "三", "四", "五", "六"};
  static constexpr std::array<const char*, 12> months{"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
  const unsigned weekday = std::chrono::weekday(std::chrono::sys_days(today)).c_encoding();
  const auto year = static_cast<int>(today.year());
  const auto month = static_cast<unsigned>(today.month()), day = static_cast<unsigned>(today.day());
  if (language == PromptLanguage::chinese) {
    return fmt::format("{}年{}月{}日，星期{}", year, month, day, days_zh[weekday]);
  }
  return fmt::format("{}, {} {}, {}", days[weekday], months[month - 1], day, year);
}

std::chrono::year_month_day local_today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return {std::chrono::year(parts.tm_year + 1900),
          std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
          std::chrono::day(static_cast<unsigned>(parts.tm_mday))};
}

}  // namespace r1::site
