#include <nlohmann/json.hpp>

#include "base/error.h"
#include "eval/benchmarks/list.h"
#include "eval/benchmarks/record_fields.h"
#include "grade/instructions/instruction.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

Item read(const Json& record, int64_t, const ItemOptions&) {
  const Json* ids = find_field(record, {"instruction_id_list"});
  const Json* arguments = find_field(record, {"kwargs"});
  if (ids == nullptr || arguments == nullptr || !ids->is_array() || !arguments->is_array() ||
      ids->size() != arguments->size()) {
    throw_error(ErrorKind::bad_file,
                "fields 'instruction_id_list' and 'kwargs': expected two lists of one length");
  }
  for (size_t i = 0; i < ids->size(); ++i)  // a bad instruction is found before a model is asked
    grade::read_instruction(text_of((*ids)[i], "instruction_id_list"), (*arguments)[i]);
  Item item;
  item.id = id_of(record);
  item.messages = user_message(question_of(record));
  (*item.fields)["instruction_id_list"] = *ids;
  (*item.fields)["kwargs"] = *arguments;
  return item;
}

Verdict grade(const Item& item, const Sample& sample, const GradingContext&) {
  const Json& ids = (*item.fields)["instruction_id_list"];
  const Json& arguments = (*item.fields)["kwargs"];
  int64_t strict = 0, loose = 0;
  std::string failed;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = ids[i].get<std::string>();
    const grade::Instruction instruction = grade::read_instruction(id, arguments[i]);
    const bool follows = grade::follows(instruction, sample.answer);
    strict += follows ? 1 : 0;
    loose += follows || grade::follows_loosely(instruction, sample.answer) ? 1 : 0;
    if (!follows) failed += (failed.empty() ? "not followed: " : ", ") + id;
  }
  const auto count = static_cast<int64_t>(ids.size());
  Verdict verdict;
  verdict.correct = strict == count;
  verdict.score = verdict.correct ? 1 : 0;
  verdict.extracted = sample.answer;
  verdict.reason = verdict.correct ? "all followed" : failed;
  verdict.answer_class = verdict.correct ? AnswerClass::right : AnswerClass::wrong;
  verdict.metrics["prompt_loose"] = loose == count ? 1 : 0;
  verdict.metrics["instructions"] = static_cast<double>(count);
  verdict.metrics["instructions_strict"] = static_cast<double>(strict);
  verdict.metrics["instructions_loose"] = static_cast<double>(loose);
  return verdict;
}

/// Answers without a verdict of this grader (errors, truncation in the thinking) follow none of their instructions.
std::vector<std::pair<std::string, double>> metrics(std::span<const GradedSample> answers) {
  double prompt_strict = 0, prompt_loose = 0, instructions = 0, strict = 0, loose = 0;
  for (const GradedSample& answer : answers) {
    const auto value = [&](const char* name) {
      const auto found = answer.verdict->metrics.find(name);
      return found == answer.verdict->metrics.end() ? 0.0 : found->second;
    };
    prompt_strict += answer.verdict->score;
    prompt_loose += value("prompt_loose");
    instructions += static_cast<double>((*answer.item->fields)["kwargs"].size());
    strict += value("instructions_strict");
    loose += value("instructions_loose");
  }
  const auto count = static_cast<double>(answers.size());
  return {{"prompt_strict", prompt_strict / count},
          {"instruction_strict", strict / instructions},
          {"prompt_loose", prompt_loose / count},
          {"instruction_loose", loose / instructions}};
}

Benchmark instruction_form() {
  Benchmark benchmark;
  benchmark.metric = "prompt_strict";
  benchmark.read_item = read;
  benchmark.grade = grade;
  benchmark.metrics = metrics;
  benchmark.samples = 1;
  return benchmark;
}

}  // namespace

Benchmark if_eval() {
  Benchmark benchmark = instruction_form();
  benchmark.name = "if-eval";
  benchmark.title = "IF-Eval";
  benchmark.data = {
      .files = {"ifeval/input_data.jsonl"},
      .repository = "google/IFEval",
      .repository_file = "ifeval_input_data.jsonl",
      .licence = "Apache-2.0",
      .records = 541,
  };
  benchmark.protocol =
      "The prompt as it is; 25 kinds of checks by rules. The main metric is the share of prompts with all "
      "instructions followed "
      "strictly, as in the release. Sentences and languages are told by rules of our own where the reference "
      "uses NLTK and langdetect.";
  return benchmark;
}

Benchmark instructions() {
  Benchmark benchmark = instruction_form();
  benchmark.name = "instructions";
  benchmark.title = "Your own instructions";
  benchmark.protocol = "Lines in IF-Eval's form: {\"key\", \"prompt\", \"instruction_id_list\", \"kwargs\"}.";
  return benchmark;
}

}  // namespace r1::eval
