#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/math_form.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/boxed_answer.h"
#include "grade/checkable_answer.h"
#include "tasks/answer_check.h"
#include "train/data/data_sample.h"

namespace r1::eval {
namespace {

bool has_answer(const nlohmann::json& record) {
  const auto messages = record.find("messages");
  if (messages != record.end() && messages->is_array() && !messages->empty())
    return messages->back().is_object() && messages->back().value("role", "") == "assistant";
  return record.contains("conversations") ||
         find_field(record, {"answer", "output", "completion", "response", "chosen"}) != nullptr;
}

std::vector<ChatMessage> conversation_of(const nlohmann::json& record) {
  const auto found = record.find("messages");
  if (found == record.end() || !found->is_array()) return user_message(question_of(record));
  std::vector<ChatMessage> messages;
  messages.reserve(found->size());
  for (const nlohmann::json& message : *found)
    messages.push_back(ChatMessage::from_json(nlohmann::ordered_json(message)));
  return messages;
}

/// The record as a sample of training, whose answer is the expected one; a record without an answer is asked and not judged.
Item read_question(const nlohmann::json& record, int64_t, const ItemOptions&) {
  Item item;
  item.id = id_of(record);
  item.group = optional_text_field(record, {"kind", "subject", "category"});
  nlohmann::json& fields = *item.fields;
  fields["references"] = nlohmann::json::array();
  if (has_answer(record)) {
    Record given;
    *given.fields = nlohmann::ordered_json(record);
    given.place = "the record";
    DataSample sample = make_data_sample(given, {});
    if (sample.messages.size() < 2)
      throw_error(ErrorKind::bad_file, "expected a question with its answer, found the form '{}'",
                  name_of(sample.format));
    if (const auto expected = grade::checkable_answer(sample.messages.back().content.value_or(""))) {
      fields["references"].push_back(*expected);
    } else {
      item.excluded = "no rule can check its answer";
    }
    sample.messages.pop_back();
    item.messages = std::move(sample.messages);
  } else {
    item.messages = conversation_of(record);
  }
  if (item.messages.empty() || item.messages.back().role != "user") {
    throw_error(ErrorKind::bad_file, "expected a question of the user before the answer, found {}",
                item.messages.empty() ? "none" : "the role '" + item.messages.back().role + "'");
  }
  fields["question"] = item.messages.back().content.value_or("");
  for (const char* name : {"language", "kind", "canonical"}) {
    if (const auto text = record.find(name); text != record.end() && text->is_string()) fields[name] = *text;
  }
  return item;
}

Verdict grade_question(const Item& item, const Sample& sample, const GradingContext& context) {
  const nlohmann::json& fields = *item.fields;
  const nlohmann::json& references = fields["references"];
  Verdict verdict;
  if (references.empty()) {
    verdict.reason = "no expected answer";
    verdict.answer_class = AnswerClass::unknown;
    return verdict;
  }
  verdict = grade_math_item(item, sample, context);
  // Generated exercises whose answers have several right forms have checks of their own.
  const std::string boxed = grade::boxed_answer(sample.answer).value_or("");
  const std::string kind = fields.value("kind", ""), canonical = fields.value("canonical", "");
  const auto checked =
      tasks::check_answer({kind, canonical, references.front().get_ref<const std::string&>(), boxed});
  if (!checked || boxed.empty()) return verdict;
  verdict.correct = *checked;
  verdict.score = *checked ? 1 : 0;
  verdict.extracted = boxed;
  verdict.reason = "checked by the rule of " + kind;
  verdict.answer_class = *checked ? AnswerClass::right : AnswerClass::wrong;
  return verdict;
}

}  // namespace

Benchmark questions() {
  Benchmark benchmark = math_form();
  benchmark.name = "questions";
  benchmark.title = "Your own questions";
  benchmark.protocol =
      "Questions as they are in training data (question, answer or messages), without a directive; the box "
      "is compared "
      "with the box of the given answer by meaning.";
  benchmark.read_item = read_question;
  benchmark.grade = grade_question;
  return benchmark;
}

}  // namespace r1::eval
