#include "cli/pipeline/pipeline_plan.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/memory_use.h"
#include "base/random.h"
#include "cli/model_location.h"
#include "cli/options.h"
#include "cli/pipeline/pipeline.h"
#include "cli/progress_bar.h"
#include "formats/output_file.h"
#include "train/data/tokenizer_trainer.h"
#include "train/data/training_data.h"
#include "train/memory_plan.h"
#include "train/trained_model.h"
#include "train/training_step.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Sampling a token is a forward pass of it; training a token is that and about twice as much for the gradients.
constexpr double kForwardShare = 1.0 / 3;

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "r1-plan-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw_error(ErrorKind::io, "{}: cannot create", name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Rows of tokens drawn at random: a pass takes as long over them as over others.
TrainingBatch random_batch(const TrainingOptions& options, int64_t vocabulary, int64_t context_length) {
  TrainingBatch batch;
  const int64_t length = std::min({options.sequence_length, options.batch_tokens, context_length});
  while (batch.rows() + length <= options.batch_tokens) {
    const int64_t first = batch.rows();
    batch.sequences.push_back({first, length, 0});
    for (int64_t i = 0; i < length; ++i) {
      const auto draw = [&](int64_t row) {
        return static_cast<int32_t>(random_bits(1, static_cast<uint64_t>(row)) %
                                    static_cast<uint64_t>(vocabulary));
      };
      batch.tokens.push_back(draw(first + i));
      batch.targets.push_back(i + 1 < length ? draw(first + i + 1) : -1);
    }
  }
  return batch;
}

/// Of one forward and backward pass over `batch`, the second of two.
double seconds_of_pass(Context& context, TrainedModel& model, const TrainingOptions& options,
                       ActivationStorage storage, const TrainingBatch& batch) {
  TrainingStep step(context, {&model.decoder(), &model.parameters(), model.adapter()}, options, storage);
  const std::vector<float> coefficients(batch.tokens.size(), -1.0F / static_cast<float>(batch.rows()));
  double seconds = 0;
  for (int64_t i = 1; i <= 2; ++i) {
    const Clock::time_point begin = Clock::now();
    step.begin(i, i - 1);
    step.pass(batch).backward(coefficients);
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return seconds;
}

int64_t lines_of(const fs::path& file) {
  std::ifstream in(file);
  int64_t count = 0;
  for (std::string line; std::getline(in, line);) count += line.empty() ? 0 : 1;
  return count;
}

int64_t number_of(const std::string& text, int64_t otherwise) {
  int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return text.empty() ? otherwise : value;
}

std::string duration_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  return seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

struct PlanRow {
  std::string memory = "–", time = "–", how;
};

class Planner {
 public:
  Planner(const Recipe& recipe, const fs::path& output) : recipe_(recipe), folder_(recipe, output) {}

  void print() {
    fmt::print("{:<20} {:<10} {:<12} {:>10} {:>10}  {}\n", "stage", "kind", "state", "memory", "time",
               "how the time is known");
    double seconds = 0;
    for (const RecipeStage& stage : recipe_.stages) {
      const StageState state = folder_.state_of(stage);
      PlanRow row;
      try {
        row = plan(stage);
      } catch (const Error& error) {
        row.how = fmt::format("not known: {}", error.what());
      }
      if (state == StageState::done) {
        const StageRecord record = folder_.read_record(stage);
        row.time = duration_text(record.seconds + record.evaluation_seconds);
        row.how = "it took so long";
      } else {
        seconds += planned_;
      }
      fmt::print("{:<20} {:<10} {:<12} {:>10} {:>10}  {}\n", stage.name, stage.kind->name, text_of(state),
                 row.memory, row.time, row.how);
      std::fflush(stdout);
    }
    fmt::print("time that is left: about {}, evaluations and what is not known apart\n",
               duration_text(seconds));
  }

 private:
  static std::string_view text_of(StageState state) {
    switch (state) {
      case StageState::absent:
        return "to do";
      case StageState::interrupted:
        return "interrupted";
      case StageState::changed:
        return "to do again";
      case StageState::done:
        break;
    }
    return "done";
  }

  PlanRow plan(const RecipeStage& stage) {
    planned_ = 0;
    if (stage.stage) return plan_training(stage);
    if (stage.kind->name == "distill" || stage.kind->name == "reject" || stage.kind->name == "evaluate")
      return plan_answers(stage);
    PlanRow row;
    row.how = "not planned: seconds to minutes";
    return row;
  }

  PlanRow plan_training(const RecipeStage& stage) {
    TrainingOptions options = stage.training;
    const fs::path base = stand_in(options);
    shapes_[stage.name] = options;
    if (!base.empty()) shapes_[stage.name].model = base.string();
    ThreadPool pool(options.threads);
    Context context(pool, select_kernels({}), Arithmetic::mixed);
    TrainedModel model(options, base, *stage.stage, pool);
    const bool second_model = model.reference() != nullptr && model.reference() != &model.decoder();
    const MemoryPlan memory = plan_memory(options, model.decoder(), model.parameters(),
                                          {*stage.stage, second_model ? model.reference() : nullptr,
                                           pool.size(), model.program_memory(), available_memory()});
    const ModelInfo& info = model.decoder().info();
    const TrainingBatch batch = random_batch(options, info.vocabulary, info.context_length);
    const double pass = seconds_of_pass(context, model, options, memory.storage, batch);
    seconds_per_token_[stage.name] = pass / static_cast<double>(std::max<int64_t>(1, batch.rows()));
    PlanRow row;
    row.memory = format_bytes(static_cast<double>(memory.total()));
    if (*stage.stage == TrainingStage::grpo) {
      row.memory += "+";  // keys and values of the answers
      plan_policy_time(options, row, pass);
    } else {
      plan_sample_time(options, *stage.stage, model, pool, row, pass);
    }
    return row;
  }

  void plan_policy_time(const TrainingOptions& options, PlanRow& row, double pass) {
    int64_t steps = options.max_steps;
    if (steps == 0) {
      steps =
          static_cast<int64_t>(std::ceil(options.epochs * static_cast<double>(questions_in(options.data)) /
                                         static_cast<double>(options.questions)));
    }
    const auto tokens = static_cast<double>(options.questions * options.group * options.answer_tokens);
    const double passes = tokens / static_cast<double>(options.batch_tokens);
    planned_ = static_cast<double>(steps) * passes * pass *
               (static_cast<double>(options.inner_epochs) + kForwardShare);
    row.time = duration_text(planned_);
    row.how = fmt::format(
        "at most: {} steps of {:.0f} tokens, if each answer has {}; a pass over {} tokens, measured, {:.2g} "
        "s",
        steps, tokens, options.answer_tokens, options.batch_tokens, pass);
  }

  void plan_sample_time(TrainingOptions options, TrainingStage stage, const TrainedModel& model,
                        ThreadPool& pool, PlanRow& row, double pass) {
    double passes = static_cast<double>(options.max_steps * options.accumulation);
    if (passes == 0) {
      for (std::string& file : options.data) {
        file = folder_.resolve(file);
        if (fs::exists(file)) continue;
        row.how = fmt::format(
            "{:.2g} s for {} tokens, measured; how many there are is known when its data are there", pass,
            options.batch_tokens);
        return;
      }
      options.eval_data.clear();
      const TrainingData data = load_training_data(options, stage, options.seed, model.renderer(), pool);
      passes = options.epochs * static_cast<double>(data.batches->batches(0));
    }
    planned_ = passes * pass;
    row.time = duration_text(planned_);
    row.how = fmt::format("{:.0f} passes over {} tokens, one measured: {:.2g} s", passes,
                          options.batch_tokens, pass);
  }

  PlanRow plan_answers(const RecipeStage& stage) {
    PlanRow row;
    const std::string name = stage.kind->name == "evaluate" ? "model" : "teacher";
    const auto model = reference_of(stage.value(name));
    const auto known = model ? seconds_per_token_.find(model->stage) : seconds_per_token_.end();
    std::vector<std::string> data;
    for (const StageOption& option : stage.options) {
      if (option.name == "data") data = option.values;
    }
    int64_t questions = questions_in(data);
    if (const int64_t limit = number_of(stage.value("limit"), -1); limit >= 0)
      questions = std::min(questions, limit);
    const double tokens = static_cast<double>(questions * number_of(stage.value("samples"), 4)) *
                          static_cast<double>(number_of(stage.value("max_tokens"), 32'768));
    row.how = fmt::format("at most {:.3g} tokens", tokens);
    if (known == seconds_per_token_.end()) return row;
    planned_ = tokens * known->second * kForwardShare;
    row.time = duration_text(planned_);
    row.how += ", counted; a third of the time that training on them takes";
    return row;
  }

  /// Of data that are not there yet what the stage that makes them is asked for.
  int64_t questions_in(const std::vector<std::string>& data) const {
    int64_t count = 0;
    for (const std::string& value : data) {
      const fs::path path = folder_.resolve(value);
      if (fs::exists(path)) {
        count += lines_of(path);
      } else if (const auto reference = reference_of(value)) {
        const auto stage = std::ranges::find(recipe_.stages, reference->stage, &RecipeStage::name);
        count += number_of(stage->value("count"), 0);
      }
    }
    return count;
  }

  /// The model to plan with; empty: a new one, of the shape that `options` then have.
  fs::path stand_in(TrainingOptions& options) {
    if (options.model.empty()) {
      options.tokenizer = tokenizer_for(options.tokenizer);
      return {};
    }
    const auto reference = reference_of(options.model);
    if (!reference) return locate_model(options.model);
    fs::path product = folder_.resolve(options.model);
    if (fs::exists(product)) return product;
    const auto shape = shapes_.find(reference->stage);
    if (shape != shapes_.end() && !shape->second.model.empty()) return shape->second.model;
    if (shape == shapes_.end() || options.tuning == Tuning::lora)
      throw_error(ErrorKind::invalid_argument, "'{}' is not there yet, and its shape is not known",
                  options.model);
    options.model.clear();
    static_cast<NewModelOptions&>(options) = shape->second;
    return {};
  }

  /// A tokenizer of the size that a stage will make.
  std::string tokenizer_for(const std::string& value) {
    const auto reference = reference_of(value);
    const fs::path path = folder_.resolve(value);
    if (!reference || fs::exists(path)) return path.string();
    const auto stage = std::ranges::find(recipe_.stages, reference->stage, &RecipeStage::name);
    TokenizerTrainerOptions options;
    for (const char* name : {"vocabulary_size", "vocab_size"})
      options.vocabulary_size = static_cast<int32_t>(number_of(stage->value(name), options.vocabulary_size));
    options.minimum_count = 1;
    TokenizerTrainer trainer;
    std::string text;
    for (int32_t i = 0; i < 2 * options.vocabulary_size; ++i) {
      for (int letter = 0; letter < 6; ++letter)
        text += static_cast<char>('a' +
                                  random_bits(static_cast<uint64_t>(i), static_cast<uint64_t>(letter)) % 26);
      text += ' ';
    }
    trainer.add(text);
    const TrainedTokenizer trained = trainer.train(options);
    const fs::path folder = scratch_.path() / reference->stage;
    fs::create_directories(folder);
    for (const auto& [name, content] :
         {std::pair<const char*, std::string>{"tokenizer.json", trained.tokenizer_json()},
          {"tokenizer_config.json", trained.tokenizer_config_json(4096)}}) {
      OutputFile file(folder / name);
      file.write(std::string_view(content));
      file.finish();
    }
    return folder.string();
  }

  const Recipe& recipe_;
  PipelineFolder folder_;
  ScratchFolder scratch_;
  // Of stages that were planned: models of the same shape, given ones or new ones.
  std::map<std::string, TrainingOptions> shapes_;
  std::map<std::string, double> seconds_per_token_;
  double planned_ = 0;  // seconds of the stage that was planned last
};

}  // namespace

void print_pipeline_plan(const Recipe& recipe, const fs::path& output) {
  Planner(recipe, output).print();
}

}  // namespace r1::cli
