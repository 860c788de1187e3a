// The programming benchmarks from a record to a verdict.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "eval/benchmark.h"
#include "eval/data_reader.h"
#include "sandbox/sandbox.h"
#include "tests/shared_folder.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

using Json = nlohmann::json;

class CodeBenchmarks : public testing::Test {
 protected:
  void SetUp() override {
    if (sandbox_.kind() != Sandbox::Kind::bubblewrap) GTEST_SKIP() << sandbox_.description();
    if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "python3 is not installed";
    context_.sandbox = &sandbox_;
  }

  Verdict graded(const char* benchmark, const Json& record, const std::string& answer) {
    const Benchmark& found = find_benchmark(benchmark);
    return found.grade(found.read_item(record, 0, {}), answered(answer), context_);
  }

  static Sample answered(const std::string& answer) {
    Sample sample;
    sample.answer = answer;
    return sample;
  }

  Sandbox sandbox_ = Sandbox::detect();
  GradingContext context_;
};

std::string block(const std::string& code, const std::string& label = "python") {
  return "Here:\n```" + label + "\n" + code + "\n```\n";
}

TEST_F(CodeBenchmarks, AllCanonicalSolutionsOfHumanEvalPass) {
  R1_REQUIRE_SHARED("evals/humaneval/HumanEval.jsonl.gz");
  const std::filesystem::path file = shared_path("evals/humaneval/HumanEval.jsonl.gz");
  const Benchmark& benchmark = find_benchmark("humaneval");
  const std::vector<Item> items = read_items(benchmark, file).items;
  const auto records = read_data(file);
  ASSERT_EQ(items.size(), 164U);
  std::vector<std::string> reasons(items.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < items.size(); i = next++) {
      const auto solution = records[i]->at("canonical_solution").get<std::string>();
      // As a completion, and as a chat model answers.
      const std::string answer =
          i % 2 == 0 ? solution : block(records[i]->at("prompt").get<std::string>() + solution);
      const Verdict verdict = benchmark.grade(items[i], answered(answer), context_);
      if (!verdict.correct) reasons[i] = items[i].id + ": " + verdict.reason;
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const std::string& reason : reasons) EXPECT_EQ(reason, "");
}

const Json kHumanEvalRecord{
    {"task_id", "T/0"},
    {"prompt", "import math\n\ndef helper(x):\n    return x + 1\n\ndef twice(x):\n    \"\"\"2x\"\"\"\n"},
    {"test", "def check(candidate):\n    assert candidate(3) == 6\n    assert helper(1) == 2\n"},
    {"entry_point", "twice"}};

TEST_F(CodeBenchmarks, HumanEvalTakesWholeFunctionsAndCompletions) {
  for (const std::string& answer : {block("def twice(x):\n    return helper(x) - 1 + x"),
                                    block("def twice(x):\n    return math.floor(2 * x)"),
                                    std::string("    return 2 * x\n"), block("    return 2 * x")}) {
    EXPECT_EQ(graded("humaneval", kHumanEvalRecord, answer).answer_class, AnswerClass::right) << answer;
  }
  const Verdict wrong = graded("humaneval", kHumanEvalRecord, block("def twice(x):\n    return x"));
  EXPECT_EQ(wrong.answer_class, AnswerClass::wrong);
  EXPECT_EQ(wrong.reason, "wrong answer");
  EXPECT_EQ(graded("humaneval", kHumanEvalRecord, "I can't do that.").answer_class,
            AnswerClass::not_extracted);
  EXPECT_EQ(graded("humaneval", kHumanEvalRecord, "").answer_class, AnswerClass::not_extracted);
}

TEST_F(CodeBenchmarks, WithoutASandboxThereIsNoVerdict) {
  const Sandbox filter(Sandbox::Kind::filter_only, "user name spaces are off");
  for (const Sandbox* sandbox : {static_cast<const Sandbox*>(nullptr), &filter}) {
    context_.sandbox = sandbox;
    const Verdict verdict = graded("humaneval", kHumanEvalRecord, block("def twice(x):\n    return 2 * x"));
    EXPECT_EQ(verdict.answer_class, AnswerClass::unknown);
    EXPECT_FALSE(verdict.correct);
  }
}

TEST_F(CodeBenchmarks, LiveCodeBenchRunsPublicAndPrivateTests) {
  const Json tests = Json::array({{{"input", "1 2\n"}, {"output", "3\n"}, {"testtype", "stdin"}}});
  const Json more = Json::array({{{"input", "5 5\n"}, {"output", "10.0"}, {"testtype", "stdin"}}});
  const Json record{{"question_id", "abc_1"},
                    {"question_content", "Add."},
                    {"starter_code", ""},
                    {"difficulty", "easy"},
                    {"contest_date", "2024-09-01T00:00:00"},
                    {"metadata", "{}"},
                    {"public_test_cases", tests.dump()},
                    {"private_test_cases", more.dump()}};
  const Verdict right =
      graded("livecodebench", record, block("a, b = map(int, input().split())\nprint(a + b)"));
  EXPECT_EQ(right.reason, "passed 2 tests");
  EXPECT_EQ(graded("livecodebench", record, block("input()\nprint(3)")).reason, "wrong answer in test 2");
  EXPECT_EQ(graded("livecodebench", record, "no code").answer_class, AnswerClass::not_extracted);
  const Benchmark& benchmark = find_benchmark("livecodebench");
  const Item item = benchmark.read_item(record, 0, {});
  EXPECT_EQ(item.group, "easy");
  const Sample sample = answered("");
  const GradedSample graded_sample{&item, &sample, &right};
  const auto metrics = benchmark.metrics({&graded_sample, 1});
  ASSERT_EQ(metrics.size(), 2U);  // inside the release's window
  EXPECT_EQ(metrics[1].second, 1.0);
}

TEST_F(CodeBenchmarks, LiveCodeBenchCallsMethods) {
  const Json tests =
      Json::array({{{"input", "[1, 2, 3]\n2"}, {"output", "[2, 4, 6]"}, {"testtype", "functional"}}});
  const Json record{
      {"question_id", "1"},
      {"question_content", "Scale."},
      {"starter_code", "class Solution:\n    def scale(self, a: List[int], k: int) -> List[int]:\n        "},
      {"metadata", R"({"func_name": "scale"})"},
      {"public_test_cases", tests.dump()}};
  const auto answer = [](const std::string& body) {
    return block("class Solution:\n    def scale(self, a: List[int], k: int) -> List[int]:\n        return " +
                 body);
  };
  // List comes from the preamble; tuples count as lists; 2 is 2.0.
  EXPECT_EQ(graded("livecodebench", record, answer("tuple(float(x) * k for x in a)")).reason,
            "passed 1 test");
  EXPECT_EQ(graded("livecodebench", record, answer("a * k")).reason, "wrong answer");
}

TEST_F(CodeBenchmarks, FormsOfOnesOwn) {
  const Json program = Json::parse(R"({"question": "Add.", "tests": [{"input": "1 2", "output": "3"}]})");
  EXPECT_TRUE(graded("code", program, block("print(sum(map(int, input().split())))")).correct);
  const Json function =
      Json::parse(R"({"question": "Add.", "test": "assert add(1, 2) == 3", "entry_point": "add"})");
  EXPECT_TRUE(graded("code", function, block("def add(a, b): return a + b")).correct);
  EXPECT_FALSE(graded("code", function, block("def add(a, b): return a")).correct);
  // MBPP's fields: its function is found in the test.
  const Json mbpp = Json::parse(
      R"json({"text": "Common elements.", "test_list": ["assert set(common((3, 4), (4, 5))) == set((4,))"]})json");
  EXPECT_TRUE(graded("code", mbpp, block("def common(a, b): return tuple(set(a) & set(b))")).correct);
  EXPECT_EQ(graded("code", program, "none").answer_class, AnswerClass::not_extracted);
  for (const char* bad :
       {R"({"question": "x"})", R"({"question": "x", "tests": []})",
        R"({"question": "x", "tests": [{"input": "", "output": ""}], "time_limit": 0})",
        R"({"question": "x", "tests": [{"input": "", "output": ""}], "language": "cobol"})"}) {
    EXPECT_THROW(find_benchmark("code").read_item(Json::parse(bad), 0, {}), Error) << bad;
  }
}

TEST_F(CodeBenchmarks, CodeforcesGivesARating) {
  const Benchmark& benchmark = find_benchmark("codeforces");
  std::vector<Item> items;
  for (const int rating : {800, 1200, 1600, 2000}) {
    items.push_back(benchmark.read_item({{"contestId", 1},
                                         {"index", std::to_string(rating)},
                                         {"description", "Add."},
                                         {"rating", rating},
                                         {"tests", Json::array({{{"input", "1"}, {"output", "1"}}})}},
                                        0, {}));
  }
  EXPECT_EQ(items[0].id, "1/800");
  const Sample sample = answered("");
  Verdict solved, failed;
  solved.score = 1;
  std::vector<GradedSample> answers;
  for (size_t i = 0; i < items.size(); ++i)
    answers.push_back({&items[i], &sample, i < 2 ? &solved : &failed});
  const auto metrics = benchmark.metrics(answers);
  ASSERT_GE(metrics.size(), 2U);
  EXPECT_EQ(metrics[0].second, 0.5);
  EXPECT_EQ(metrics[1].first, "elo");
  EXPECT_NEAR(metrics[1].second, 1400, 1e-3);  // by symmetry
  EXPECT_NE(benchmark
                .read_item({{"id", "x"},
                            {"question", "x"},
                            {"checker", "code"},
                            {"tests", Json::array({{{"input", "1"}, {"output", "1"}}})}},
                           0, {})
                .excluded,
            "");
}

TEST_F(CodeBenchmarks, SweBenchAppliesThePatchAndRunsTheTests) {
  const test::TemporaryFolder folder;
  // Run by root, the sandbox's programs are nobody's.
  std::filesystem::permissions(folder.path, std::filesystem::perms(0755));
  std::ofstream(folder / "calc.py") << "def add(a, b):\n    return a - b\n";
  Json record{{"instance_id", "x__x-1"},
              {"repo", "x/x"},
              {"problem_statement", "add() subtracts."},
              {"patch", "--- a/calc.py\n+++ b/calc.py\n"},
              {"test_patch",
               "--- /dev/null\n+++ b/test_calc.py\n@@ -0,0 +1,5 @@\n+import unittest\n+from calc import "
               "add\n+class T(unittest.TestCase):\n"
               "+    def test_add(self):\n+        self.assertEqual(add(1, 2), 3)\n"},
              {"FAIL_TO_PASS", "[\"test_calc.T.test_add\"]"},
              {"PASS_TO_PASS", "[]"},
              {"checkout", folder.path.string()},
              {"command", "python3 -m unittest {tests}"}};
  const std::string patch =
      "```diff\n--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    "
      "return a ";
  const Verdict right = graded("swe-bench-verified", record, patch + "+ b\n```");
  EXPECT_TRUE(right.correct) << right.reason;
  EXPECT_FALSE(graded("swe-bench-verified", record, patch + "* b\n```").correct);
  const Verdict stale =
      graded("swe-bench-verified", record, "```diff\n--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-x\n+y\n```");
  EXPECT_EQ(stale.reason,
            "the patch does not apply: diff, line 3: the hunk does not apply: its lines are not in the file");
  // The prompt shows the file that the reference patch changes.
  EXPECT_NE(find_benchmark("swe-bench-verified")
                .read_item(record, 0, {})
                .messages.at(0)
                .content.value_or("")
                .find("return a - b"),
            std::string::npos);
  record.erase("command");
  const Verdict unknown = graded("swe-bench-verified", record, patch + "+ b\n```");
  EXPECT_EQ(unknown.answer_class, AnswerClass::unknown);
  EXPECT_EQ(unknown.reason, "the record has no command that runs its tests");
}

TEST_F(CodeBenchmarks, AiderHasTwoTries) {
  const test::TemporaryFolder root;
  const std::filesystem::path folder = root / "python/exercises/practice/double";
  std::filesystem::create_directories(folder / ".meta");
  std::filesystem::create_directories(folder / ".docs");
  std::ofstream(folder / ".meta/config.json")
      << R"({"files": {"solution": ["double.py"], "test": ["double_test.py"]}})";
  std::ofstream(folder / ".docs/instructions.md") << "Double it.\n";
  std::ofstream(folder / "double.py") << "def double(x):\n    pass\n";
  std::ofstream(folder / "double_test.py")
      << "import unittest\nfrom double import double\nclass T(unittest.TestCase):\n"
         "    def test(self):\n        self.assertEqual(double(2), 4)\n";
  const Benchmark& benchmark = find_benchmark("aider-polyglot");
  const Item item = benchmark.read_item({{"folder", folder.string()}}, 0, {});
  EXPECT_EQ(item.id, "python/double");
  const auto edit = [](const std::string& from, const std::string& to) {
    return answered("double.py\n```python\n<<<<<<< SEARCH\n    " + from + "\n=======\n    " + to +
                    "\n>>>>>>> REPLACE\n```\n");
  };
  const std::vector<Sample> bad{edit("pass", "return x")};
  const std::optional<ChatMessage> next = benchmark.next_turn(item, bad, context_);
  ASSERT_TRUE(next);
  EXPECT_NE(next->content.value_or("").find("AssertionError: 2 != 4"), std::string::npos)
      << next->content.value_or("");
  Sample second = edit("return x", "return 2 * x");
  second.earlier_tries = bad;
  const Verdict fixed = benchmark.grade(item, second, context_);
  EXPECT_TRUE(fixed.correct) << fixed.reason;
  EXPECT_EQ(fixed.metrics.at("pass_rate_1"), 0);
  EXPECT_EQ(fixed.metrics.at("well_formed"), 1);
  const std::vector<Sample> good{edit("pass", "return 2 * x")};
  EXPECT_FALSE(benchmark.next_turn(item, good, context_));
  EXPECT_EQ(benchmark.grade(item, good.front(), context_).metrics.at("pass_rate_1"), 1);
  const std::vector<Sample> missing{edit("absent", "x")};
  EXPECT_NE(benchmark.next_turn(item, missing, context_)
                ->content.value_or("")
                .find("the search text is not in the file"),
            std::string::npos);
  const Verdict tampered = benchmark.grade(
      item, answered("double_test.py\n```\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n```\n"), context_);
  EXPECT_FALSE(tampered.correct);
}

}  // namespace
}  // namespace r1::eval
