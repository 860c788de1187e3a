// What schemas cost: steps and processor time of compiling each, and of the masks of random answers with a vocabulary of
// 151,000 tokens. Processor time is the thread's own, so that other programs on the machine matter little.
//
//   schema_bench FOLDER [EVERY]
//
// FOLDER: JSON files, each a schema or an object with it as `schema` (github.com/guidance-ai/jsonschemabench:
// maskbench/data). EVERY: masks are found for one schema in so many (20).
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "grammar/constraint.h"
#include "grammar/schema_grammar.h"
#include "tests/grammar/large_vocabulary.h"

namespace {

using r1::grammar::Budget;
using r1::grammar::Constraint;
using r1::grammar::Grammar;

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

void print(const char* name, std::vector<double> values, const char* unit) {
  fmt::print("{:18} p50 {:10.3f}  p90 {:10.3f}  p99 {:10.3f}  most {:10.3f} {}\n", name,
             percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.99),
             percentile(values, 1), unit);
}

/// The masks of one answer, each token drawn among those allowed; their times in ms.
void measure_masks(const std::shared_ptr<const Grammar>& grammar,
                   const std::shared_ptr<const r1::grammar::TokenTrie>& trie, uint64_t seed,
                   std::vector<double>& times) {
  Constraint constraint(grammar, trie, {});
  std::vector<int32_t> tokens;
  for (uint64_t step = 0; step < 60; ++step) {
    const double begin = cpu_ms();
    const auto mask = constraint.allowed(tokens);
    times.push_back(cpu_ms() - begin);
    std::vector<int32_t> allowed;
    for (size_t word = 0; word < mask.size(); ++word) {
      for (uint64_t bits = mask[word]; bits != 0; bits &= bits - 1)
        allowed.push_back(static_cast<int32_t>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits))));
    }
    if (allowed.empty()) return;
    const int32_t token = allowed[r1::random_bits(seed, step) % allowed.size()];
    if (token == trie->end_tokens()[0]) return;
    tokens.push_back(token);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "schema_bench FOLDER [EVERY]\n");
    return 2;
  }
  const size_t every = argc > 2 ? std::max(1UL, std::strtoul(argv[2], nullptr, 10)) : 20;
  const r1::Tokenizer tokenizer = r1::test::large_tokenizer();
  const auto trie = std::make_shared<const r1::grammar::TokenTrie>(tokenizer, tokenizer.size(),
                                                                   std::vector<int32_t>{*tokenizer.eos()});
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<double> times, steps, states, masks;
  std::map<std::string, int> refused;
  size_t taken = 0, mask_failures = 0, index = 0;
  for (const std::filesystem::path& path : files) {
    auto schema = r1::grammar::Schema::parse(std::ifstream(path), nullptr, false);
    if (schema.is_discarded()) continue;
    if (schema.is_object() && schema.contains("schema") && schema.contains("tests")) {
      auto inner = schema["schema"];
      schema = std::move(inner);
    }
    Budget budget;
    std::shared_ptr<const Grammar> grammar;
    const double begin = cpu_ms();
    try {
      grammar = r1::grammar::compile_schema(schema, budget);
      ++taken;
    } catch (const r1::Error& error) {
      std::string reason = error.what();
      if (const size_t colon = reason.rfind(": "); colon != std::string::npos) reason.erase(0, colon + 2);
      ++refused[reason.substr(0, 60)];
    }
    times.push_back(cpu_ms() - begin);
    steps.push_back(static_cast<double>(budget.steps()));
    if (!grammar) continue;
    states.push_back(static_cast<double>(grammar->size()));
    if (index++ % every != 0) continue;
    try {
      measure_masks(grammar, trie, index, masks);
    } catch (const r1::Error&) {
      ++mask_failures;
    }
  }
  const auto under = std::ranges::count_if(times, [](double ms) { return ms < 100; });
  fmt::print("{} schemas, {} taken ({:.2f}%), {:.2f}% compiled or refused under 100 ms of processor time\n",
             times.size(), taken, 100.0 * static_cast<double>(taken) / static_cast<double>(times.size()),
             100.0 * static_cast<double>(under) / static_cast<double>(times.size()));
  print("compiling", times, "ms");
  print("steps", steps, "");
  print("states", states, "");
  print(fmt::format("{} masks", masks.size()).c_str(), masks, "ms");
  if (mask_failures > 0) fmt::print("{} answers ended with an error\n", mask_failures);
  std::vector<std::pair<int, std::string>> reasons;
  for (const auto& [reason, count] : refused) reasons.emplace_back(count, reason);
  std::ranges::sort(reasons, std::greater<>());
  for (size_t i = 0; i < std::min<size_t>(reasons.size(), 15); ++i)
    fmt::print("{:6}  {}\n", reasons[i].first, reasons[i].second);
  return 0;
}
