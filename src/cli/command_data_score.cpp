// r1 data score: how many held-out exercises a model solves, by kind, level and language.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/progress_bar.h"
#include "engine/generate.h"
#include "eval/score_table.h"
#include "formats/output_file.h"
#include "formats/vocabulary.h"
#include "grade/boxed_answer.h"
#include "grade/judge.h"
#include "tasks/answer_check.h"
#include "train/data/records.h"
#include "train/data/render.h"

namespace r1::cli {
namespace {

struct ScoreOptions {
  std::string model, file, out;
  int64_t limit = -1, batch = 32;
  GenerationOptions generation;
  RuntimeOptions runtime;
};

struct Exercise {
  std::string kind, language, canonical;
  int64_t level = 0;
  std::string expected;  // what the right answer has boxed
  std::vector<int32_t> prompt;
  nlohmann::ordered_json fields;
  Generation generation;
};

/// What is judged of it. Once it is answered.
grade::ScoredAnswer scored(const Exercise& exercise) {
  const Generation& generation = exercise.generation;
  const std::string boxed = grade::boxed_answer(generation.answer).value_or("");
  return {exercise.kind,
          exercise.level,
          exercise.language,
          exercise.expected,
          generation.reasoning,
          generation.answer,
          generation.end == AnswerEnd::stop,
          static_cast<int64_t>(generation.tokens.size()),
          tasks::check_answer({exercise.kind, exercise.canonical, exercise.expected, boxed})};
}

bool is_right(const Exercise& exercise) {
  return grade::judge(scored(exercise)).right == 1;
}

std::vector<Exercise> read_exercises(const ScoreOptions& options, const SampleRenderer& renderer) {
  std::vector<Exercise> exercises;
  read_records(options.file, [&](const Record& record) {
    if (options.limit >= 0 && static_cast<int64_t>(exercises.size()) >= options.limit) return;
    const DataSample sample = make_data_sample(record, {});
    Exercise exercise;
    exercise.fields = *record.fields;
    const std::string answer = sample.messages.empty() ? "" : sample.messages.back().content.value_or("");
    const std::optional<std::string> expected = grade::boxed_answer(answer);
    if (!expected) return;  // small talk has no answer to check
    exercise.expected = *expected;
    exercise.kind = record.fields->value("kind", "all");
    exercise.level = record.fields->value("level", int64_t{0});
    exercise.language = record.fields->value("language", "");
    exercise.canonical = record.fields->value("canonical", "");
    const TokenSequence sequence = renderer.render(sample, TrainedTurns::last).front().sequence;
    const auto first = std::find(sequence.trained.begin(), sequence.trained.end(), 1);
    exercise.prompt.assign(sequence.tokens.begin(),
                           sequence.tokens.begin() + (first - sequence.trained.begin()));
    exercises.push_back(std::move(exercise));
  });
  if (exercises.empty()) {
    throw_error(ErrorKind::bad_file, "{}: expected answers with \\boxed{{…}}, found none", options.file);
  }
  return exercises;
}

void run_all(const ScoreOptions& options, const TextModel& model, std::vector<Exercise>& exercises) {
  ThreadPool pool(options.runtime.threads);
  Context context(pool, select_kernels(options.runtime), Arithmetic::fast);
  size_t longest = 0;
  for (const Exercise& exercise : exercises) longest = std::max(longest, exercise.prompt.size());
  EngineOptions engine_options;
  engine_options.context_length =
      std::min(model.info().context_length, static_cast<int64_t>(longest) + options.generation.max_tokens);
  engine_options.key_dtype = cache_dtype(options.runtime.cache_type_k);
  engine_options.value_dtype = cache_dtype(options.runtime.cache_type_v);
  engine_options.sequences = options.batch;
  engine_options.known_tokens = known_tokens(model.vocabulary(), model.info().vocabulary);
  const int64_t blocks = options.batch * (engine_options.context_length / KvCache::kBlockTokens + 2);
  engine_options.kv_bytes =
      blocks * static_cast<int64_t>(KvCache::block_bytes(model.model().kv_layers(), engine_options.key_dtype,
                                                         engine_options.value_dtype));
  Engine engine(model.shared_model(), context, engine_options);
  const InterruptGuard guard;
  ProgressBar bar("score", "exercises");
  uint64_t done = 0, right = 0;
  for (size_t i = 0; i < exercises.size(); ++i) {
    Exercise& exercise = exercises[i];
    TextRequest request{.prompt = exercise.prompt, .options = options.generation};
    request.options.sampling.seed += i;
    request.options.max_tokens =
        std::min(request.options.max_tokens, engine_options.context_length - std::ssize(exercise.prompt));
    submit_text(engine, model, std::move(request), [&](Generation generation) {
      exercise.generation = std::move(generation);
      right += is_right(exercise) ? 1 : 0;
      ++done;
    });
  }
  while (engine.step()) {
    if (InterruptGuard::interrupted()) throw_error(ErrorKind::cancelled, "interrupted");
    if (done > 0) {
      bar.update(
          done, exercises.size(),
          fmt::format("{:.1f}% right", 100.0 * static_cast<double>(right) / static_cast<double>(done)));
    }
  }
  bar.finish();
}

void write_results(const std::string& path, const std::vector<Exercise>& exercises) {
  OutputFile file(path);
  for (const Exercise& exercise : exercises) {
    nlohmann::ordered_json line = exercise.fields;
    line["model_think"] = exercise.generation.reasoning;
    line["model_answer"] = exercise.generation.answer;
    line["right"] = is_right(exercise);
    file.write(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  file.finish();
}

void score(const ScoreOptions& options) {
  const TextModel model =
      TextModel::load(locate_model(options.model), load_options(0, options.runtime.overrides));
  const Vocabulary& vocabulary = model.vocabulary();
  validate(options.generation.sampling, model.info().vocabulary);
  const SampleRenderer renderer(vocabulary.tokenizer, vocabulary.chat_template, vocabulary.end_of_generation);
  std::vector<Exercise> exercises = read_exercises(options, renderer);
  run_all(options, model, exercises);

  std::vector<grade::ScoredAnswer> answers;
  answers.reserve(exercises.size());
  for (const Exercise& exercise : exercises) answers.push_back(scored(exercise));
  fmt::print("{}", eval::score_table(answers));
  if (!options.out.empty()) write_results(options.out, exercises);
}

}  // namespace

void add_data_score_command(Command data) {
  auto options = std::make_shared<ScoreOptions>();
  options->generation.sampling.temperature = 0;
  options->generation.max_tokens = 400;
  options->generation.loop_detection = false;  // the score counts the whole answer
  Command command = data.add_subcommand(
      "score", "How many exercises a model solves, by kind, level and language, with 95% intervals");
  command->add_option("model", options->model, "file, hub directory or pulled model")->required();
  command->add_option("file", options->file, "exercises as r1 data make writes them")
      ->required()
      ->check(existing_file());
  command->add_option("--limit", options->limit, "exercises to take from the start of the file; -1: all");
  command->add_option("--batch", options->batch, "exercises answered at once")->check(in_range(1, 4096));
  command->add_option("-n,--max-tokens", options->generation.max_tokens, "tokens of an answer at most")
      ->check(in_range(int64_t{1}, int64_t{1} << 20));
  command->add_option("--seed", options->generation.sampling.seed,
                      "seed of the draws, for temperatures above 0");
  command->add_option("-o,--out", options->out, "JSONL file for the exercises with the model's answers");
  add_sampling_options(command, options->generation.sampling);
  add_runtime_options(command, options->runtime);
  command->callback([options] { score(*options); });
}

}  // namespace r1::cli
