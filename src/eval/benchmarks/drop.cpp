#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/random.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/drop_f1.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

constexpr size_t kShots = 3;

/// The passage with its question, in simple-evals' form ("Passage: … Question: … Answer:").
std::string context_of(const Json& record) {
  if (const Json* context = find_field(record, {"context"});
      context != nullptr && find_field(record, {"question"}) == nullptr)
    return text_of(*context, "context");
  return "Passage: " + text_field(record, {"passage", "context", "paragraph"}) +
         "\nQuestion: " + question_of(record) + "\nAnswer:";
}

/// One reference: its spans.
std::vector<std::string> spans_of(const Json& value) {
  if (!value.is_object()) {
    if (!value.is_array()) return {text_of(value, "answer")};
    std::vector<std::string> spans;
    for (const Json& span : value) spans.push_back(text_of(span, "answer"));
    return spans;
  }
  // DROP's own form: {"number": "4", "date": {"day", "month", "year"}, "spans": […]}
  if (const Json* number = find_field(value, {"number"})) return {text_of(*number, "number")};
  if (const Json* spans = find_field(value, {"spans"})) return spans_of(*spans);
  if (const Json* date = find_field(value, {"date"})) {
    std::string text;
    for (const char* part : {"day", "month", "year"}) {
      const std::string piece = optional_text_field(*date, {part});
      text += (text.empty() || piece.empty() ? "" : " ") + piece;
    }
    if (!text.empty()) return {text};
  }
  throw_error(ErrorKind::bad_file, "field 'answer': expected a number, spans or a date");
}

/// References, any of which counts: `ref_text` separates them by '|', `validated_answers` adds to `answer`.
Json references_of_drop(const Json& record) {
  Json references = Json::array();
  if (const Json* texts = find_field(record, {"ref_text"})) {
    const std::string all = text_of(*texts, "ref_text");
    for (size_t at = 0; at <= all.size();) {
      const size_t end = std::min(all.find('|', at), all.size());
      const std::string one = all.substr(at, end - at);
      if (one.find_first_not_of(' ') != std::string::npos) references.push_back(Json::array({one}));
      at = end + 1;
    }
  } else {
    const Json* answer =
        find_field(record, {"answer", "answers", "answers_spans", "reference", "completion"});
    if (answer == nullptr)
      throw_error(ErrorKind::bad_file,
                  "field 'ref_text' or 'answer': expected a text, a list or DROP's object, found none");
    if (answer->is_array()) {  // alternatives
      for (const Json& one : *answer) references.push_back(spans_of(one));
    } else {
      references.push_back(spans_of(*answer));
    }
    if (const Json* more = find_field(record, {"validated_answers"}); more != nullptr && more->is_array()) {
      for (const Json& one : *more) references.push_back(spans_of(one));
    }
  }
  if (references.empty())
    throw_error(ErrorKind::bad_file, "field 'ref_text': expected a reference, found none");
  return references;
}

Item read(const Json& record, int64_t line, const ItemOptions& options) {
  Item item;
  item.id = id_of(record);
  (*item.fields)["references"] = references_of_drop(record);
  // simple-evals' prompt (MIT): examples, the passage, the form of the last line.
  std::string prompt;
  if (options.examples.size() >= kShots) {
    prompt =
        "You will be asked to read a passage and answer a question. Some examples of passages and Q&A are "
        "provided "
        "below.\n\n# Examples";
    constexpr uint64_t kDraws = 1024;  // a question has, at most
    uint64_t counter = static_cast<uint64_t>(line) * kDraws;
    std::vector<size_t> chosen;
    while (chosen.size() < kShots) {
      const auto index = static_cast<size_t>(random_bits(options.seed, counter++) % options.examples.size());
      if (std::find(chosen.begin(), chosen.end(), index) == chosen.end()) chosen.push_back(index);
    }
    for (const size_t index : chosen) {
      const Json& example = *options.examples[index];
      prompt += "\n---\n" + context_of(example) + " " +
                text_field(example, {"completion", "ref_text", "answer"}) + "\n";
    }
    prompt += "\n# Your Task\n\n---\n";
  } else {
    prompt = "You will be asked to read a passage and answer a question.\n\n# Your Task\n\n---\n";
  }
  item.messages = user_message(prompt + context_of(record) +
                               " \n\nThink step by step, then write a line of the form \"Answer: $ANSWER\" "
                               "at the end of your response.");
  return item;
}

Verdict grade(const Item& item, const Sample& sample, const GradingContext&) {
  Verdict verdict;
  std::vector<std::vector<std::string>> references;
  for (const Json& spans : (*item.fields)["references"])
    references.push_back(spans.get<std::vector<std::string>>());
  verdict.extracted = grade::drop_answer(sample.answer);
  const grade::DropScore score = grade::score_drop(references, {verdict.extracted});
  verdict.score = score.f1;
  verdict.correct = score.exact_match == 1;
  verdict.metrics["exact match"] = score.exact_match;
  verdict.reason = verdict.correct ? "equal" : "different";
  verdict.answer_class = verdict.correct             ? AnswerClass::right
                         : verdict.extracted.empty() ? AnswerClass::not_extracted
                                                     : AnswerClass::wrong;
  verdict.deciding = deciding_range(sample.answer, verdict.extracted);
  return verdict;
}

}  // namespace

Benchmark drop() {
  Benchmark benchmark;
  benchmark.name = "drop";
  benchmark.title = "DROP";
  benchmark.data = {
      .files = {"drop/drop_v0_dev.jsonl.gz", "drop/drop_v0_dev.jsonl"},
      .url = "https://openaipublic.blob.core.windows.net/simple-evals/drop_v0_dev.jsonl.gz",
      .sha256 = "7a58d35552dc476699d87ee8af0254f63e9f00f5a7f6b8b033e11c933157e186",
      .licence = "CC BY-SA 4.0",
      .records = 9536,
      .examples_file = "drop/drop_v0_train.jsonl.gz",
  };
  benchmark.samples = 1;
  benchmark.metric = "f1";
  benchmark.read_item = read;
  benchmark.grade = grade;
  benchmark.protocol =
      "3-shot with examples drawn by the seed from drop_v0_train.jsonl.gz beside the data; without that file "
      "zero-shot, which can't "
      "be compared with the published 3-shot figure. F1 of the best reference, as simple-evals computes it.";
  return benchmark;
}

}  // namespace r1::eval
