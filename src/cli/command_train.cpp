// r1 train pretrain, sft, dpo, kto, orpo, reward, grpo: their options.
#include <memory>
#include <string>

#include "cli/command_train_policy.h"
#include "cli/command_train_samples.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/train_options.h"

namespace r1::cli {
namespace {

struct TrainCommand {
  TrainingStage stage = TrainingStage::pretrain;
  std::string name;  // of the stage
  std::string config;
  TrainingOptions options;
  RuntimeOptions runtime;
};

void add_stage(Command parent, const StageTraits& traits) {
  auto parsed = std::make_shared<TrainCommand>();
  parsed->stage = traits.stage;
  parsed->name = traits.name;
  Command command = parent.add_subcommand(parsed->name, std::string(traits.help));
  command->add_option("config", parsed->config, "TOML file with options; flags win over it")
      ->check(existing_file());
  add_training_options(command, parsed->options, parsed->stage);
  command->add_option("--kernels", parsed->runtime.instruction_set, "instruction set of the kernels")
      ->check(one_of({"best", "scalar", "avx2", "avx512"}));
  command->callback([parsed, command] {
    finish_training_options(command, parsed->config, parsed->options, parsed->stage);
    if (parsed->stage == TrainingStage::grpo) {
      train_policy(parsed->options, parsed->runtime);
    } else {
      train_on_samples(parsed->stage, parsed->options, parsed->runtime);
    }
  });
}

}  // namespace

void add_train_command(Command app) {
  Command parent = app.add_subcommand("train", "Train models and tokenizers");
  parent->require_subcommand(1);
  for (const StageTraits& traits : all_stages()) add_stage(parent, traits);
  add_train_tokenizer_command(parent);
  add_train_watch_command(parent);
}

}  // namespace r1::cli
