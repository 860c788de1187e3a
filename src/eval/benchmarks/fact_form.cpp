#include "eval/benchmarks/fact_form.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "eval/benchmarks/record_fields.h"
#include "grade/judge_reply.h"

namespace r1::eval {
namespace {

using grade::FactGrade;

constexpr std::string_view kEnglishPrompt =
    R"(You grade an answer to a question of fact against a reference answer. Give one of three grades.

A: CORRECT. The answer contains the important information of the reference and nothing that contradicts it. Wording, case, order and small misspellings of names do not matter. A doubt that is voiced does not matter if the full answer is there. What the question already implies may be missing. A number must agree with the reference to the reference's last significant digit.
B: INCORRECT. The answer contradicts the reference, also when it does so with a doubt, offers several different answers, or gives only a part of what the reference lists.
C: NOT_ATTEMPTED. The answer does not give the information and contradicts nothing: it declines, asks back, or stays vague.

Question: {}
Reference answer: {}
Answer to grade: {}

Reply with the letter A, B or C and nothing else.)";

constexpr std::string_view kChinesePrompt =
    R"(请根据参考答案，评判对一个事实性问题的回答，给出三个等级之一。

A：正确。回答包含参考答案的关键信息，且没有与之矛盾的内容。措辞、顺序、人名的细微写法差异不影响；语气不确定但答案完整也算正确；问题中已包含的信息可以省略；数字须与参考答案的有效位一致。
B：错误。回答与参考答案矛盾（即使语气不确定），给出多个不同答案，或只答出参考答案的一部分。
C：未尝试。回答没有给出所需信息，也没有矛盾：拒答、反问或含糊其辞。

问题：{}
参考答案：{}
待评判的回答：{}

只回复一个字母A、B或C，不要有其他内容。)";

Item read(const nlohmann::json& record, int64_t, const ItemOptions& options) {
  Item item;
  item.id = id_of(record);
  item.group = group_of(record);
  const std::string question = question_of(record);
  item.messages = user_message(question);
  std::string references;
  for (const std::string& reference : references_of(record))
    references += (references.empty() ? "" : " | ") + reference;
  (*item.fields)["question"] = question;
  (*item.fields)["reference"] = references;
  (*item.fields)["chinese"] = is_chinese(question, options);
  return item;
}

std::vector<std::vector<ChatMessage>> judge_questions(const Item& item, const Sample& sample) {
  const auto text = [&](const char* name) { return (*item.fields)[name].get<std::string>(); };
  const std::string_view prompt = (*item.fields)["chinese"].get<bool>() ? kChinesePrompt : kEnglishPrompt;
  return {
      user_message(fmt::format(fmt::runtime(prompt), text("question"), text("reference"), sample.answer))};
}

Verdict grade_by_judge(const Item&, const Sample& sample, const GradingContext&) {
  if (sample.judge_replies.empty()) return undecided("no judge's reply");
  const std::optional<FactGrade> grade = grade::read_fact_grade(sample.judge_replies.back());
  if (!grade) return undecided("the judge's reply has no grade");
  Verdict verdict;
  verdict.correct = *grade == FactGrade::correct;
  verdict.score = verdict.correct ? 1 : 0;
  verdict.extracted = sample.answer;
  verdict.reason = verdict.correct                  ? "judged correct"
                   : *grade == FactGrade::incorrect ? "judged incorrect"
                                                    : "judged not attempted";
  verdict.answer_class = verdict.correct                  ? AnswerClass::right
                         : *grade == FactGrade::incorrect ? AnswerClass::wrong
                                                          : AnswerClass::refused;
  return verdict;
}

std::vector<std::pair<std::string, double>> metrics(std::span<const GradedSample> answers) {
  double correct = 0, incorrect = 0;
  for (const GradedSample& answer : answers) {
    correct += answer.verdict->correct ? 1 : 0;
    incorrect += answer.verdict->answer_class == AnswerClass::wrong ? 1 : 0;
  }
  const auto count = static_cast<double>(answers.size());
  const double attempted = correct + incorrect;
  const double given_attempted = attempted > 0 ? correct / attempted : 0;
  const double share = correct / count;
  return {{"correct", share},
          {"incorrect", incorrect / count},
          {"not_attempted", 1 - attempted / count},
          {"correct_given_attempted", given_attempted},
          {"f1", given_attempted + share > 0 ? 2 * given_attempted * share / (given_attempted + share) : 0}};
}

}  // namespace

Verdict undecided(const std::string& reason) {
  Verdict verdict;
  verdict.reason = reason;
  verdict.answer_class = AnswerClass::unknown;
  return verdict;
}

Benchmark fact_form() {
  Benchmark benchmark;
  benchmark.judging = Judging::judge;
  benchmark.samples = 1;
  benchmark.metric = "correct";
  benchmark.read_item = read;
  benchmark.grade = grade_by_judge;
  benchmark.metrics = metrics;
  benchmark.judge_questions = judge_questions;
  return benchmark;
}

}  // namespace r1::eval
