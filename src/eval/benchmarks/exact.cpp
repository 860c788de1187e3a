#include <nlohmann/json.hpp>

#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/exact.h"

namespace r1::eval {
namespace {

Item read(const nlohmann::json& record, int64_t, const ItemOptions&) {
  Item item;
  item.id = id_of(record);
  item.group = group_of(record);
  item.messages = user_message(question_of(record));
  (*item.fields)["references"] = references_of(record);
  return item;
}

Verdict grade(const Item& item, const Sample& sample, const GradingContext&) {
  Verdict verdict;
  verdict.extracted = grade::plain_answer(sample.answer);
  for (const nlohmann::json& reference : (*item.fields)["references"])
    verdict.correct |= grade::same_text(reference.get_ref<const std::string&>(), verdict.extracted);
  verdict.score = verdict.correct ? 1 : 0;
  verdict.reason = verdict.correct ? "equal" : "different";
  verdict.answer_class = verdict.correct             ? AnswerClass::right
                         : verdict.extracted.empty() ? AnswerClass::not_extracted
                                                     : AnswerClass::wrong;
  verdict.deciding = deciding_range(sample.answer, verdict.extracted);
  return verdict;
}

}  // namespace

Benchmark exact() {
  Benchmark benchmark;
  benchmark.name = "exact";
  benchmark.title = "Your own exact answers";
  benchmark.read_item = read;
  benchmark.grade = grade;
  benchmark.same_vote = [](const std::string& a, const std::string& b) { return grade::same_text(a, b); };
  benchmark.protocol =
      "Lines {\"id\", \"question\", \"answer\"}; the answer (a box, what follows 'Answer:', else all of the "
      "text) equals a "
      "reference but for case, white space and punctuation at the ends.";
  return benchmark;
}

}  // namespace r1::eval
