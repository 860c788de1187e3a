#include "cli/command_train_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/memory_use.h"
#include "cli/interrupt.h"
#include "cli/machine_limits.h"
#include "cli/training_monitor.h"
#include "cli/training_report.h"
#include "cli/training_run.h"
#include "formats/vocabulary.h"
#include "rl/policy_trainer.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

nlohmann::ordered_json rollout_line(const rl::ScoredRollouts& scored, size_t index) {
  const rl::Answer& answer = scored.rollouts[index].answer;
  nlohmann::ordered_json rewards;
  for (size_t i = 0; i < scored.names.size(); ++i) rewards[scored.names[i]] = scored.parts[i][index];
  return {{"output", answer.output},     {"reward", scored.rewards[index]},
          {"rewards", rewards},          {"tokens", answer.tokens},
          {"finished", answer.finished}, {"advantage", scored.advantages[index]}};
}

/// The best and the worst answer to the step's first question whose rewards differ, or to its first question.
void write_rollouts(std::ofstream& file, int64_t step, const rl::ScoredRollouts& scored) {
  size_t best = 0, worst = 0;
  for (size_t first = 0; first < scored.rollouts.size() && scored.rewards[best] == scored.rewards[worst];) {
    best = worst = first;
    size_t next = first;
    for (; next < scored.rollouts.size() && scored.rollouts[next].group == scored.rollouts[first].group;
         ++next) {
      if (!std::isfinite(scored.rewards[next])) continue;
      if (scored.rewards[next] > scored.rewards[best]) best = next;
      if (scored.rewards[next] < scored.rewards[worst]) worst = next;
    }
    first = next;
  }
  if (scored.rollouts.empty()) return;
  const rl::Question& question = *scored.rollouts[best].question;
  const nlohmann::ordered_json line = {{"step", step},
                                       {"question", question.text},
                                       {"expected", question.expected},
                                       {"best", rollout_line(scored, best)},
                                       {"worst", rollout_line(scored, worst)}};
  file << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n' << std::flush;
}

void check_options(const TrainingOptions& options) {
  if (options.model.empty())
    throw_error(ErrorKind::invalid_argument, "--model: expected the policy to begin with");
  if (options.eval_share > 0) {
    throw_error(ErrorKind::invalid_argument,
                "eval_share: train grpo expects eval_data, a file of held-out questions");
  }
}

}  // namespace

void train_policy(TrainingOptions options, const RuntimeOptions& runtime) {
  check_options(options);
  const fs::path base = check_training_places(options, TrainingStage::grpo);
  ThreadPool pool(options.threads);
  Context context(pool, select_kernels(runtime), Arithmetic::mixed);
  TrainedModel model(options, base, TrainingStage::grpo, pool);
  if (model.low_rank() != nullptr) options.lora = *model.low_rank();
  const TextModel text(model.model(), load_vocabulary(*model.base()));
  const ReadOptions reading{options.format, column_names(options.columns)};
  const rl::Questions questions = rl::load_questions(options.data, reading, model.renderer());
  rl::Questions held_back;
  if (!options.eval_data.empty())
    held_back = rl::load_questions(options.eval_data, reading, model.renderer());
  fmt::print("data: {} questions{}\n", questions.all.size(),
             questions.left_out > 0
                 ? fmt::format(", {} records left out: no rule can check their answers", questions.left_out)
                 : "");
  const MemoryPlan plan =
      plan_memory(options, model.decoder(), model.parameters(),
                  {TrainingStage::grpo, nullptr, pool.size(), model.program_memory(), available_memory()});
  const InterruptGuard guard;
  TrainingReport report(options);
  std::ofstream rollouts;
  rl::PolicyHooks hooks;
  hooks.on_step = [&](const StepReport& step, const rl::ScoredRollouts& scored) {
    report.on_policy_step(step);
    if (options.log_steps > 0 && step.step % options.log_steps == 0)
      write_rollouts(rollouts, step.step, scored);
  };
  hooks.on_evaluation = [&](int64_t step, const std::vector<std::pair<std::string, double>>& metrics) {
    report.on_policy_evaluation(step, metrics);
  };
  hooks.remark = [](const std::string& remark) { fmt::print(stderr, "r1: {}\n", remark); };
  hooks.stop_requested = [] { return InterruptGuard::interrupted(); };
  rl::PolicyTrainer trainer(context, model, text, options, questions,
                            options.eval_data.empty() ? nullptr : &held_back, plan.storage, hooks);
  print_memory_plan(plan, model, trainer.rollout_bytes());
  if (options.resume && !trainer.resume())
    fmt::print(stderr, "r1: {}: no good checkpoint: beginning anew\n", options.output);
  const int64_t begun = trainer.state().step;
  fs::create_directories(options.output);
  const fs::path rollouts_path = fs::path(options.output) / "rollouts.jsonl";
  drop_later_lines(rollouts_path, begun);
  rollouts.open(rollouts_path, std::ios::app);
  nlohmann::ordered_json description =
      describe_training_run(options, TrainingStage::grpo, model, plan, trainer.steps());
  description["questions"] = questions.all.size();
  report.begin(description, begun, trainer.steps());
  const TrainingEnd end = trainer.run();
  model.write(options.output, options.model, options.save_type, false);
  report.end(end, trainer.state(), false);
}

}  // namespace r1::cli
