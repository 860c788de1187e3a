#include "eval/run.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/json_text.h"
#include "eval/answer_log.h"
#include "eval/run_reading.h"

namespace r1::eval {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// What the folders of one run have together.
struct Parts {
  RunDescription description;
  std::map<int64_t, Item> items;  // by line
  AnswerLines lines;
};

void add_answers(const fs::path& folder, AnswerLines lines, AnswerLines& all) {
  for (auto& [id, answer] : lines.answers) {
    const auto [found, added] = all.answers.try_emplace(id, answer);
    if (added) continue;
    LoggedAnswer& before = found->second;
    const bool failed = before.sample.end == Sample::End::error;
    if (!failed && answer.sample.end != Sample::End::error &&
        (before.sample.answer != answer.sample.answer ||
         before.sample.reasoning != answer.sample.reasoning)) {
      throw_error(
          ErrorKind::invalid_argument,
          "{}: question '{}', sample {}: another folder has another answer to it; expected folders with "
          "different questions",
          folder.string(), id.first, id.second);
    }
    if (failed) before = std::move(answer);
  }
  all.judgements.merge(lines.judgements);
}

Parts read_parts(std::span<const fs::path> folders) {
  Parts parts;
  for (size_t i = 0; i < folders.size(); ++i) {
    const fs::path& folder = folders[i];
    RunDescription description = read_run_file(folder);
    if (i == 0) {
      parts.description = description;
    } else if (const std::string difference = run_difference(parts.description, description);
               !difference.empty()) {
      throw_error(ErrorKind::invalid_argument, "{} and {}: are no parts of one run: {}",
                  folders.front().string(), folder.string(), difference);
    }
    RunDescription& all = parts.description;
    all.samples = std::max(all.samples, description.samples);
    all.limit = all.limit < 0 || description.limit < 0 ? -1 : std::max(all.limit, description.limit);
    all.questions = std::max(all.questions, description.questions);
    for (Item& item : read_questions(folder)) {
      const auto [found, added] = parts.items.try_emplace(item.line, item);
      if (!added && found->second.id != item.id)
        throw_error(ErrorKind::invalid_argument, "{}: question {}: expected '{}', found '{}'",
                    folder.string(), item.line, found->second.id, item.id);
    }
    add_answers(folder, read_answer_log(folder / kAnswersFile), parts.lines);
  }
  if (folders.size() > 1) {  // the whole, whatever parts it came in
    parts.description.shard = 0;
    parts.description.shards = 1;
    std::ranges::sort(parts.description.endpoints);
  }
  return parts;
}

void attach_judgement(const RunDescription& description, const Benchmark& benchmark, const Item& item,
                      const std::string& key, const AnswerLines& lines, Sample& sample) {
  if (benchmark.judging != Judging::judge || !benchmark.judge_questions || sample.end == Sample::End::error)
    return;
  const auto found =
      lines.judgements.find(judgement_key(description.judge, key, benchmark.judge_questions(item, sample)));
  if (found != lines.judgements.end()) sample.judge_replies = found->second;
}

/// An endpoint that does not mark thinking begins within it, as the template of the R1 family does, or does not think at all.
/// The finished answers of the run tell: where most have thinking, a text that was cut off without a marker is thinking.
void settle_unmarked(std::vector<Sample>& samples) {
  int64_t thought = 0, finished = 0;
  for (const Sample& sample : samples) {
    if (sample.end != Sample::End::stop) continue;
    ++finished;
    thought += sample.reasoning.empty() ? 0 : 1;
  }
  if (2 * thought <= finished) return;
  for (Sample& sample : samples) {
    if (!sample.unmarked || (sample.end != Sample::End::length && sample.end != Sample::End::loop)) continue;
    sample.reasoning = std::exchange(sample.answer, "");
    sample.reasoning_tokens = sample.tokens;
    sample.in_reasoning = true;
  }
}

/// Each verdict depends on its sample alone, so threads share the samples out in any order.
std::vector<Verdict> grade_all(const Benchmark& benchmark, const Run& run,
                               const std::vector<const Item*>& item_of, const GradingContext& context) {
  std::vector<Verdict> verdicts(run.samples.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (size_t i = next++; i < run.samples.size(); i = next++) {
      try {
        verdicts[i] = grade_sample(benchmark, *item_of[i], run.samples[i], context);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = run.samples.size();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<size_t>(std::max<int64_t>(0, context.threads - 1)));
    for (int64_t thread = 1; thread < context.threads; ++thread) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return verdicts;
}

}  // namespace

RunDescription read_run_file(const fs::path& folder) {
  const fs::path path = folder / kRunFile;
  std::ifstream in(path, std::ios::binary);
  if (!in)
    throw_error(ErrorKind::io, "{}: expected a run's folder, which has a {}", folder.string(), kRunFile);
  const Json json = parse_json_or_discard<Json>(std::string(std::istreambuf_iterator<char>(in), {}));
  return read_description(json, path.string());
}

std::vector<Item> read_questions(const fs::path& folder) {
  std::vector<Item> items;
  const fs::path path = folder / kQuestionsFile;
  std::ifstream in(path, std::ios::binary);
  std::string text;
  for (int64_t number = 1; std::getline(in, text); ++number) {
    const Json json = parse_json_or_discard<Json>(text);
    items.push_back(read_item(json, fmt::format("{}:{}", path.string(), number)));
  }
  return items;
}

std::string run_difference(const RunDescription& a, const RunDescription& b) {
  const auto differs = [](const char* name, const auto& x, const auto& y) {
    return fmt::format("{}: {} and {}", name, Json(x).dump(), Json(y).dump());
  };
  if (a.benchmark != b.benchmark) return differs("benchmark", a.benchmark, b.benchmark);
  if (a.weights_sha256 != b.weights_sha256) {
    return a.weights_sha256.empty() || b.weights_sha256.empty()
               ? fmt::format("model: {} and {}, one here and one behind an endpoint", a.model, b.model)
               : fmt::format("weights: {} and {} have different contents", a.model, b.model);
  }
  if (a.weights_sha256.empty() && a.model != b.model) return differs("model", a.model, b.model);
  if (a.data_sha256 != b.data_sha256)
    return fmt::format("data: {} and {} have different contents", a.data_file, b.data_file);
  if (a.temperature != b.temperature) return differs("temperature", a.temperature, b.temperature);
  if (a.top_p != b.top_p) return differs("top_p", a.top_p, b.top_p);
  if (a.further_sampling != b.further_sampling)
    return differs("sampling", a.further_sampling, b.further_sampling);
  if (a.max_tokens != b.max_tokens) return differs("max_tokens", a.max_tokens, b.max_tokens);
  if (a.context_length != b.context_length)
    return differs("context_length", a.context_length, b.context_length);
  if (a.seed != b.seed) return differs("seed", a.seed, b.seed);
  if (a.system_prompt != b.system_prompt) return differs("system_prompt", a.system_prompt, b.system_prompt);
  if (a.cache_types != b.cache_types) return differs("cache types", a.cache_types, b.cache_types);
  return "";
}

Run read_run(const fs::path& folder, const GradingContext& context) {
  return read_runs(std::span(&folder, 1), context);
}

Run read_runs(std::span<const fs::path> folders, const GradingContext& context) {
  if (folders.empty()) throw_error(ErrorKind::invalid_argument, "expected the folder of a run, found none");
  Parts parts = read_parts(folders);
  const Benchmark& benchmark = find_benchmark(parts.description.benchmark);
  Run run;
  run.description = std::move(parts.description);
  std::vector<const Item*> item_of;
  run.items.reserve(parts.items.size());
  for (auto& [line, item] : parts.items) run.items.push_back(std::move(item));
  for (const Item& item : run.items) {
    for (auto found = parts.lines.answers.lower_bound({item.id, 0});
         found != parts.lines.answers.end() && found->first.first == item.id &&
         found->first.second < run.description.samples;
         ++found) {
      LoggedAnswer& answer = found->second;
      const std::string key = answer_key(run.description, item, answer.sample.index);
      if (key != answer.key) {
        throw_error(
            ErrorKind::bad_file,
            "question '{}', sample {}: the answer in {} was made with another prompt, sampling or model",
            item.id, answer.sample.index, kAnswersFile);
      }
      attach_judgement(run.description, benchmark, item, key, parts.lines, answer.sample);
      run.samples.push_back(std::move(answer.sample));
      item_of.push_back(&item);
    }
  }
  settle_unmarked(run.samples);
  run.verdicts = grade_all(benchmark, run, item_of, context);
  return run;
}

}  // namespace r1::eval
