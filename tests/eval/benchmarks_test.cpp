// The benchmarks on their own data: right answers, written as models write them, must be graded right.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "eval/benchmark.h"
#include "eval/benchmarks/record_fields.h"
#include "eval/data_location.h"
#include "eval/data_reader.h"
#include "eval/grade_outputs.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

TEST(Benchmarks, HaveNamesAndAreFoundByThem) {
  std::set<std::string> names;
  for (const Benchmark& benchmark : benchmarks()) {
    EXPECT_TRUE(names.insert(benchmark.name).second) << benchmark.name;
    EXPECT_FALSE(benchmark.title.empty()) << benchmark.name;
    EXPECT_FALSE(benchmark.protocol.empty()) << benchmark.name;
    EXPECT_TRUE(benchmark.read_item) << benchmark.name;
    EXPECT_TRUE(benchmark.grade) << benchmark.name;
    EXPECT_TRUE(benchmark.data.files.empty() || !benchmark.data.licence.empty()) << benchmark.name;
  }
  EXPECT_EQ(find_benchmark("Math_500").name, "math-500");
  EXPECT_EQ(find_benchmark("AIME 2024").name, "aime-2024");
  try {
    find_benchmark("gaokao");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("gaokao-2023-en"), std::string::npos) << error.what();
  }
}

struct Gold {
  std::string benchmark;
  std::function<std::string(const Json& record)> output;
  double least = 1;  // share that must be right
};

/// Grades outputs made from the records of the data.
void expect_right(const Gold& gold) {
  const Benchmark& benchmark = find_benchmark(gold.benchmark);
  const auto file = find_data(benchmark, R1_SHARED_FOLDER "/evals");
  const auto records = read_data(file);
  const ItemList data = read_items(benchmark, file);
  ASSERT_FALSE(data.items.empty());
  if (benchmark.data.records > 0) EXPECT_EQ(std::ssize(records), benchmark.data.records) << benchmark.name;
  int64_t right = 0;
  for (const Item& item : data.items) {
    Sample sample;
    sample.item = item.id;
    sample.answer = gold.output(*records[static_cast<size_t>(item.line)]);
    const Verdict verdict = grade_sample(benchmark, item, sample, {});
    right += verdict.correct ? 1 : 0;
    if (!verdict.correct && gold.least == 1)
      ADD_FAILURE() << benchmark.name << ' ' << item.id << ": " << verdict.extracted << " (" << verdict.reason
                    << ")";
  }
  EXPECT_GE(static_cast<double>(right), gold.least * static_cast<double>(data.items.size()))
      << benchmark.name;
}

TEST(Benchmarks, GoldAnswersAreRight) {
  R1_REQUIRE_SHARED("evals/math500/test.jsonl");
  const auto boxed = [](const char* field) {
    return [field](const Json& record) {
      return "So it is $\\boxed{" + text_of(record.at(field), field) + "}$.";
    };
  };
  const auto text = [](const char* field) {
    return [field](const Json& record) { return text_of(record.at(field), field); };
  };
  expect_right({"math-500", text("solution")});
  expect_right({"gsm8k", text("answer")});
  expect_right({"aime-2024", boxed("answer")});
  expect_right({"aime-2025", boxed("answer")});
  expect_right({"amc-2023", boxed("answer")});
  expect_right(
      {"cmath", [](const Json& r) { return "所以答案是：" + text_of(r["answer"], "answer") + "。"; }});
  expect_right({"mgsm-zh", [](const Json& r) { return "答：" + text_of(r["answer"], "answer") + "美元。"; }});
  expect_right({"svamp", [](const Json& r) {
                  return "The answer is " + text_of(r["Answer"], "Answer") + " apples.";
                }});
  expect_right({"olympiadbench",
                [](const Json& r) { return "\\boxed{" + r["final_answer"][0].get<std::string>() + "}"; }});
  expect_right({"sat-math",
                [](const Json& r) { return "\\boxed{\\text{(" + text_of(r["Answer"], "Answer") + ")}}"; }});
  expect_right({"mmlu-stem", [](const Json& r) {
                  return "The answer is (" + std::string(1, static_cast<char>('A' + r["answer"].get<int>())) +
                         ").";
                }});
  expect_right({"cn-middle-school", boxed("answer")});
  expect_right({"gaokao-2023-en", text("answer"), 0.99});
  expect_right({"gaokao-2024-i", boxed("answer")});
  expect_right({"gaokao-2024-ii", boxed("answer")});
  expect_right({"gaokao-2024-mix", boxed("answer"), 0.97});
  expect_right(
      {"gaokao-cloze", [](const Json& r) { return "答案是 " + text_of(r["answer"], "answer"); }, 0.97});
  expect_right({"gaokao-qa", [](const Json& r) { return "故选" + text_of(r["label"], "label") + "。"; }});
  expect_right({"cluewsc", [](const Json& r) { return std::string(r["label"] == "true" ? "A" : "B"); }});
  expect_right(
      {"drop", [](const Json& r) { return "Thinking.\nAnswer: " + text_of(r["completion"], "completion"); }});
}

TEST(Benchmarks, GoldLettersAreRight) {
  R1_REQUIRE_SHARED("evals/mmlu/test.jsonl.gz");
  expect_right({"mmlu", [](const Json& r) {
                  return "It is so.\n\n**Answer: " + text_of(r["answer"], "answer") + "**";
                }});
  expect_right(
      {"mmlu-pro", [](const Json& r) { return "The answer is (" + text_of(r["answer"], "answer") + ")."; }});
  const ItemList redux = read_items(find_benchmark("mmlu-redux"),
                                    find_data(find_benchmark("mmlu-redux"), R1_SHARED_FOLDER "/evals"));
  EXPECT_EQ(redux.items.size() + redux.excluded.size(), 5700U);
  EXPECT_GT(redux.items.size(), 5000U);
}

TEST(Benchmarks, OwnQuestionsAreReadAsTrainingDataIsAndAskedAsTheyAre) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path / "data.jsonl")
      << R"x({"question": "1+1?", "think": "1+1=2", "answer": "It is \\boxed{2}.", "kind": "sum"}
{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "#### 4"}]}
{"question": "Why?", "answer": "Many\nlines."}
{"question": "And so?", "language": "en"}
{"question": "Sort 3, 1.", "answer": "\\boxed{1, 3}", "kind": "sorting", "canonical": "sort(3,1)"}
)x";
  const Benchmark& questions = find_benchmark("questions");
  const ItemList data = read_items(questions, folder.path / "data.jsonl");
  ASSERT_EQ(data.items.size(), 4U);
  ASSERT_EQ(data.excluded.size(), 1U);
  EXPECT_EQ(data.items[0].messages.size(), 1U);
  EXPECT_EQ(data.items[0].messages[0].content, "1+1?");
  EXPECT_EQ(data.items[0].group, "sum");
  EXPECT_EQ(data.items[1].messages.size(), 2U);
  const auto answer_class = [&](size_t item, const std::string& text) {
    Sample sample;
    sample.answer = text;
    return grade_sample(questions, data.items[item], sample, {}).answer_class;
  };
  EXPECT_EQ(answer_class(0, "\\boxed{2}"), AnswerClass::right);
  EXPECT_EQ(answer_class(1, "\\boxed{5}"), AnswerClass::wrong);
  EXPECT_EQ(answer_class(2, "\\boxed{5}"), AnswerClass::unknown);
  EXPECT_EQ(answer_class(3, "\\boxed{1,3}"), AnswerClass::right);
  EXPECT_EQ(answer_class(3, "\\boxed{3,1}"), AnswerClass::wrong);
}

class Outputs : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  test::TemporaryFolder folder_;
  ItemList data_ =
      read_items(find_benchmark("math"), write("data.jsonl", R"({"id": "x", "question": "1+1", "answer": "2"}
{"id": "y", "question": "2+2", "answer": "4"}
)"));
};

TEST_F(Outputs, AreMatchedByIdLineOrPrompt) {
  const auto answers = [&](const std::string& lines) {
    return read_outputs(write("out.jsonl", lines), data_);
  };
  const OutputFile by_id = answers(R"({"id": "y", "output": "<think>a</think>4"}
{"id": "z", "output": "5"}
{"id": "y", "output": "5", "sample": 0}
)");
  ASSERT_EQ(by_id.samples.size(), 1U);
  EXPECT_EQ(by_id.samples[0].item, "y");
  EXPECT_EQ(by_id.samples[0].answer, "4");
  EXPECT_EQ(by_id.samples[0].reasoning, "a");
  EXPECT_EQ(by_id.unknown_ids, 1);
  EXPECT_EQ(by_id.duplicates, 1);
  EXPECT_EQ(by_id.unanswered, 1);
  EXPECT_EQ(answers("{\"id\": 1, \"output\": \"4\"}\n").samples.at(0).item, "y");
  EXPECT_EQ(answers("{\"response\": \"2\"}\n{\"response\": \"4\"}\n").samples.at(1).item, "y");
  EXPECT_TRUE(answers("{\"id\": \"x\", \"output\": \"<think>never\"}\n").samples.at(0).in_reasoning);
  EXPECT_THROW(answers("{\"id\": \"q\", \"output\": \"4\"}\n"), Error);
  EXPECT_THROW(answers("{\"id\": \"x\"}\n"), Error);
}

TEST_F(Outputs, OfSeveralSamplesHaveAConsensus) {
  const OutputFile outputs = read_outputs(write("out.jsonl", R"({"id": "x", "output": "\\boxed{2}"}
{"id": "x", "output": "\\boxed{\\frac{4}{2}}"}
{"id": "x", "output": "\\boxed{3}"}
{"id": "y", "output": "\\boxed{5}"}
)"),
                                          data_);
  const Grades grades = grade_samples(find_benchmark("math"), data_.items, outputs.samples, {});
  EXPECT_NEAR(grades.score, 1.0 / 3, 1e-12);  // (2/3 + 0) / 2
  ASSERT_EQ(grades.metrics.back().first, "cons");
  EXPECT_NEAR(grades.metrics.back().second, 0.5, 1e-12);
  EXPECT_EQ(grades.classes.at(AnswerClass::right), 2);
}

TEST(RecordFields, AreReadTolerantly) {
  EXPECT_EQ(choices_of(Json::parse(R"({"options": "A) one B) two, too C) three"})")),
            (std::vector<std::string>{"one", "two, too", "three"}));
  EXPECT_EQ(choices_of(Json{{"choices", "['it\\'s', \"a \\\"b\\\"\", '5']"}}),
            (std::vector<std::string>{"it's", "a \"b\"", "5"}));
  EXPECT_EQ(choices_of(Json::parse(R"({"A": "one", "B": "two"})")), (std::vector<std::string>{"one", "two"}));
  const std::vector<std::string> choices{"10", "20", "30"};
  EXPECT_EQ(right_letter("B", choices), 'B');
  EXPECT_EQ(right_letter("(c)", choices), 'C');
  EXPECT_EQ(right_letter(1, choices), 'B');
  EXPECT_EQ(right_letter("2", choices), 'C');
  EXPECT_EQ(right_letter("20", choices), 'B');
  EXPECT_THROW(right_letter("D", choices), Error);
  EXPECT_EQ(references_of(Json::parse(R"({"answer": "3 + 4 = <<3+4=7>>7\n#### 1,007"})")).front(), "1,007");
}

}  // namespace
}  // namespace r1::eval
