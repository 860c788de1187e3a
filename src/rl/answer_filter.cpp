#include "rl/answer_filter.h"

#include <map>
#include <string>
#include <unordered_set>

#include "base/error.h"
#include "formats/sha256.h"
#include "rl/text_measures.h"

namespace r1::rl {
namespace {

constexpr std::array<std::string_view, kAnswerFates> kNames = {"kept",
                                                               "not ended by the model",
                                                               "too short or too long",
                                                               "format",
                                                               "other language",
                                                               "repeats itself",
                                                               "wrong",
                                                               "duplicate",
                                                               "more than wanted of its question"};

void check_options(const AnswerFilterOptions& options) {
  const auto check_share = [](const char* name, double value) {
    if (value >= 0 && value <= 1) return;
    throw_error(ErrorKind::invalid_argument, "{}: expected a share from 0 to 1, found {}", name, value);
  };
  check_share("language", options.language);
  check_share("repetition", options.repetition);
  if (options.longest > 0 && options.longest < options.shortest) {
    throw_error(ErrorKind::invalid_argument, "longest: expected at least shortest = {} tokens, found {}",
                options.shortest, options.longest);
  }
}

/// Without white space: differences in it make no other answer.
void append_packed(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c != ' ' && (c < '\t' || c > '\r')) out += c;
  }
}

std::string identity_of(const Answer& answer) {
  std::string text;
  append_packed(text, answer.question->text);
  text += '\n';
  append_packed(text, answer.reasoning);
  text += '\n';
  append_packed(text, answer.answer);
  return sha256(text);
}

/// What the answer's text alone decides.
AnswerFate fate_of(const Answer& answer, const AnswerFilterOptions& options) {
  if (!answer.finished) return AnswerFate::unfinished;
  if (answer.tokens < options.shortest || (options.longest > 0 && answer.tokens > options.longest))
    return AnswerFate::length;
  if (options.format && !is_well_formed(answer)) return AnswerFate::format;
  const std::string text = answer.reasoning + "\n" + answer.answer;
  if (language_share(text, answer.question->language) < options.language) return AnswerFate::language;
  if (repeated_share(text) > options.repetition) return AnswerFate::repetition;
  if (options.right && !is_right(answer)) return AnswerFate::wrong;
  return AnswerFate::kept;
}

}  // namespace

std::string_view name_of(AnswerFate fate) {
  return kNames.at(static_cast<size_t>(fate));
}

std::vector<AnswerFate> filter_answers(std::span<const Answer> answers, const AnswerFilterOptions& options) {
  check_options(options);
  std::vector<AnswerFate> fates;
  fates.reserve(answers.size());
  std::unordered_set<std::string> seen;
  std::map<int64_t, int64_t> kept;  // of each question
  for (const Answer& answer : answers) {
    AnswerFate fate = fate_of(answer, options);
    if (fate == AnswerFate::kept && options.distinct && !seen.insert(identity_of(answer)).second)
      fate = AnswerFate::duplicate;
    if (fate == AnswerFate::kept && options.per_question > 0 && ++kept[answer.group] > options.per_question)
      fate = AnswerFate::surplus;
    fates.push_back(fate);
  }
  return fates;
}

}  // namespace r1::rl
