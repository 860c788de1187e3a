// A benchmark: where its data is, how a question is asked, how an answer is judged. Each benchmark is one value in a file of
// its own in eval/benchmarks/ (docs/evaluation.md, "Adding a benchmark").
//
// Flow: the records of the data → Item → messages to a model → Sample → grade() → Verdict → metrics.
// Benchmarks whose verdict comes from a judge model ask it in between (judge_questions, read_judgement).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/boxed_json.h"
#include "text/chat_template.h"

namespace r1 {
class Sandbox;
}

namespace r1::eval {

/// Where the data of a benchmark is. docs/evaluation.md has the licences in full.
struct DataSource {
  std::vector<std::string> files{};  // looked for in the data folder, in this order: "math500/test.jsonl"
  std::string repository{};          // data set on the hub: "HuggingFaceH4/MATH-500"; empty: none
  std::string
      repository_file{};  // JSONL or CSV in it, maybe .gz; empty: parquet only, read through the hub's rows API
  std::string config{}, split{};  // for the rows API
  std::string url{};              // a direct address, where the publisher has one
  std::string sha256{};   // of the file; empty: the publisher has changed it, the report names the hash found
  std::string licence{};  // one line
  int64_t records = 0;    // of the published set; 0: it varies
  std::string examples_file{};  // few-shot examples, beside the data: "mmlu/dev.jsonl.gz"
};

/// One question of a benchmark.
struct Item {
  std::string
      id;  // as in the data; read_item leaves it empty where the record has none, read_items numbers all then
  int64_t line = 0;                     // 0-based number of its record in the data
  std::string group{};                  // subject, level: metrics are reported by it; empty: none
  std::string excluded{};               // why the record is neither asked nor scored; empty: it is scored
  std::vector<ChatMessage> messages{};  // the prompt
  BoxedJson<nlohmann::json> fields{};   // what grade() reads: the record, spelt in one way
};

/// One answer of a model to an item.
struct Sample {
  std::string item;         // Item::id
  int64_t index = 0;        // 0-based sample number
  std::string reasoning{};  // without its tags
  std::string answer{};     // what follows the reasoning: the only text that graders and judges see
  enum class End { stop, length, loop, error } end = End::stop;
  bool in_reasoning = false;  // it ended inside the reasoning
  bool unmarked = false;      // an endpoint's text without markers of thinking (read_run decides what it is)
  std::string error{};        // End::error: why
  int64_t tokens = 0, reasoning_tokens = 0;
  double seconds = 0;
  std::vector<std::string> judge_replies{};
  /// Benchmark::next_turn: the answers before this last one, oldest first, each without earlier tries of its own.
  std::vector<Sample> earlier_tries{};
};

enum class AnswerClass {
  right,
  wrong,
  not_extracted,        // no answer could be read from the text
  right_not_extracted,  // not extracted (or extracted wrong), but the right answer is in the text
  truncated_in_reasoning,
  truncated_in_answer,
  refused,
  error,    // the endpoint or the engine failed
  unknown,  // the grader or the judge could not decide
};
/// "right", "wrong", "not extracted", …: the names in files and reports.
std::string_view class_name(AnswerClass answer_class);

struct Verdict {
  double score = 0;  // 0 to 1, in the benchmark's main metric
  bool correct = false;
  std::string extracted{};  // empty: none
  std::string reason{};     // a few words
  AnswerClass answer_class = AnswerClass::wrong;
  std::map<std::string, double> metrics{};   // further values of this answer, by name: "f1", "loose"
  std::pair<size_t, size_t> deciding{0, 0};  // bytes [first, last) of the answer that decided; equal: unknown
};

/// What graders may use. They neither wait nor read clocks, but for programs in the sandbox.
struct GradingContext {
  const Sandbox* sandbox = nullptr;  // null: code is not run, its verdicts are "unknown"
  int64_t threads = 1;
};

/// An answer with its verdict, for metrics.
struct GradedSample {
  const Item* item;
  const Sample* sample;
  const Verdict* verdict;
};

enum class Judging {
  rules,  // a program decides
  judge,  // a model decides: --judge
  code,   // tests decide, in the sandbox
};

/// How data becomes items.
struct ItemOptions {
  std::string language{};                             // "en", "zh"; empty: the data's
  uint64_t seed = 0;                                  // permutations of choices
  std::vector<BoxedJson<nlohmann::json>> examples{};  // few-shot examples: the records of examples_file
};

struct Benchmark {
  std::string name;   // "math-500": the word on the command line
  std::string title;  // "MATH-500"
  Judging judging = Judging::rules;
  DataSource data{};
  int64_t samples = 4;           // k by the release's protocol
  int64_t max_tokens = 32'768;   // thinking included
  std::string metric{"pass@1"};  // the main metric
  std::string
      protocol{};  // one or two sentences: what is asked, how it is scored, what differs from the published protocol

  /// Throws Error(bad_file) that names the field, for a record that is none of this benchmark's. `line`: 0-based.
  std::function<Item(const nlohmann::json& record, int64_t line, const ItemOptions& options)> read_item;
  /// For Sample::End::stop, length and loop, on the answer's text. Sets every field but the classes of truncation and error,
  /// which grade_sample() sets.
  std::function<Verdict(const Item& item, const Sample& sample, const GradingContext& context)> grade;
  /// Whether two extracted answers vote for the same (cons@k). Empty: equal texts.
  std::function<bool(const std::string& a, const std::string& b)> same_vote{};
  /// Values over all answers, in the order to be shown; the main metric first. Empty: the mean of `score` and of each entry of
  /// Verdict::metrics, each a mean over items of the mean over samples.
  std::function<std::vector<std::pair<std::string, double>>(std::span<const GradedSample>)> metrics{};
  /// Judging::judge: the questions to the judge about an answer, one conversation each.
  std::function<std::vector<std::vector<ChatMessage>>(const Item& item, const Sample& sample)>
      judge_questions{};
  /// Tasks with several tries: the next message to the model after `samples`' last answer; nothing: the item is done.
  std::function<std::optional<ChatMessage>(const Item& item, std::span<const Sample> tries,
                                           const GradingContext& context)>
      next_turn{};
};

/// All benchmarks, in the order of the release's table, then the others, then those for a user's own data.
std::span<const Benchmark> benchmarks();
/// Throws Error(invalid_argument) with the nearest names. Case, '-', '_' and spaces do not matter.
const Benchmark& find_benchmark(std::string_view name);

/// Benchmark::metrics, or what stands for it: see there.
std::vector<std::pair<std::string, double>> metrics_of(const Benchmark& benchmark,
                                                       std::span<const GradedSample> answers);

/// grade() with the classes that do not depend on the benchmark: errors, truncation, refusals.
Verdict grade_sample(const Benchmark& benchmark, const Item& item, const Sample& sample,
                     const GradingContext& context);

}  // namespace r1::eval
