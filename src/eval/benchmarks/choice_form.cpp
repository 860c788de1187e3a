#include "eval/benchmarks/choice_form.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/choice.h"
#include "grade/math_answer.h"

namespace r1::eval {
namespace {

char last_letter(const Item& item) {
  return static_cast<char>('A' + (*item.fields)["choices"].size() - 1);
}

/// The choice whose text is in the output's box; '\0': none or several.
char boxed_choice(const Item& item, const std::string& answer) {
  if (answer.find("\\boxed") == std::string::npos) return '\0';
  char found = '\0';
  char letter = 'A';
  for (const nlohmann::json& choice : (*item.fields)["choices"]) {
    if (grade::grade_math(choice.get_ref<const std::string&>(), answer).correct) {
      if (found != '\0') return '\0';
      found = letter;
    }
    ++letter;
  }
  return found;
}

}  // namespace

std::string simple_evals_prompt(const std::string& question, const std::vector<std::string>& choices) {
  std::string letters, lines;
  for (size_t i = 0; i < choices.size(); ++i) {
    const char letter = static_cast<char>('A' + i);
    letters += letter;
    lines += std::string("\n") + letter + ") " + choices[i];
  }
  // Quoted from openai/simple-evals (MIT).
  return "Answer the following multiple choice question. The last line of your response should be of the "
         "following "
         "format: 'Answer: $LETTER' (without quotes) where LETTER is one of " +
         letters + ". Think step by step before answering.\n\n" + question + "\n" + lines;
}

std::string lettered_lines(const std::vector<std::string>& choices) {
  std::string lines;
  for (size_t i = 0; i < choices.size(); ++i) {
    lines += i == 0 ? "" : "\n";
    lines += static_cast<char>('A' + i);
    lines += ". " + choices[i];
  }
  return lines;
}

Item choice_item(std::string id, std::string prompt, const std::vector<std::string>& choices, char letter) {
  Item item;
  item.id = std::move(id);
  item.messages = user_message(std::move(prompt));
  (*item.fields)["choices"] = choices;
  (*item.fields)["letter"] = std::string(1, letter);
  return item;
}

Item read_choice_item(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  const std::string question = question_of(record);
  const std::vector<std::string> choices = choices_of(record);
  constexpr size_t kMaxChoices = 26;
  if (choices.empty() || choices.size() > kMaxChoices)  // MMLU-Pro has questions with one choice
    throw_error(ErrorKind::bad_file, "field 'choices': expected 1 to {} of them, found {}", kMaxChoices,
                choices.size());
  const nlohmann::json* answer =
      find_field(record, {"answer", "label", "target", "answer_key", "answer_index", "correct_answer", "gold",
                          "correct", "correct_index", "答案"});
  if (answer == nullptr)
    throw_error(ErrorKind::bad_file,
                "field 'answer': expected a letter, a 0-based index or a choice, found none");
  std::string prompt =
      is_chinese(question, options)
          ? "请回答下面的单项选择题，逐步思考，并在最后一行写出“答案：X”，其中X为正确选项的字母。\n\n" +
                question + "\n" + lettered_lines(choices)
          : simple_evals_prompt(question, choices);
  Item item = choice_item(id_of(record), std::move(prompt), choices, right_letter(*answer, choices));
  item.group = group_of(record);
  return item;
}

Verdict choice_verdict(const Item& item, const Sample& sample, char letter) {
  Verdict verdict;
  const auto& right = (*item.fields)["letter"].get_ref<const std::string&>();
  if (letter == '\0') {
    verdict.reason = "no letter found";
    verdict.answer_class = AnswerClass::not_extracted;
    if (grade::chosen_letter(sample.answer, last_letter(item)) == right[0])
      verdict.answer_class = AnswerClass::right_not_extracted;
    return verdict;
  }
  verdict.extracted = std::string(1, letter);
  verdict.correct = verdict.extracted == right;
  verdict.score = verdict.correct ? 1 : 0;
  verdict.reason = verdict.correct ? "equal" : "different";
  verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
  return verdict;
}

Verdict grade_choice(const Item& item, const Sample& sample, const GradingContext&) {
  std::optional<char> letter = grade::announced_letter(sample.answer, last_letter(item));
  if (!letter) {
    const char boxed = boxed_choice(item, sample.answer);
    letter = boxed != '\0' ? boxed : grade::chosen_letter(sample.answer, last_letter(item));
  }
  return choice_verdict(item, sample, letter.value_or('\0'));
}

Verdict grade_simple_evals_choice(const Item& item, const Sample& sample, const GradingContext&) {
  const char last = last_letter(item);
  const std::optional<char> published = grade::simple_evals_letter(sample.answer, last);
  const std::optional<char> letter = published ? published : grade::announced_letter(sample.answer, last);
  Verdict verdict = choice_verdict(item, sample, letter.value_or('\0'));
  verdict.metrics["published extraction"] = verdict.correct && published ? 1 : 0;
  return verdict;
}

Benchmark choice_form() {
  Benchmark benchmark;
  benchmark.read_item = read_choice_item;
  benchmark.grade = grade_choice;
  return benchmark;
}

}  // namespace r1::eval
