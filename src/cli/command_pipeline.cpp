// r1 pipeline: a recipe of stages.
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/pipeline/pipeline.h"
#include "cli/pipeline/pipeline_plan.h"

namespace r1::cli {
namespace {

struct PipelineOptions {
  std::string recipe, output;
  bool plan = false;
};

void run(const PipelineOptions& options, Command app) {
  const Recipe recipe = read_recipe(app, options.recipe);
  const std::string output = options.output.empty() ? recipe.output : options.output;
  if (output.empty())
    throw_error(ErrorKind::invalid_argument, "{}: expected output = DIRECTORY, or --output", options.recipe);
  if (options.plan) {
    print_pipeline_plan(recipe, output);
  } else {
    run_pipeline(recipe, output);
  }
}

}  // namespace

void add_pipeline_command(Command app) {
  auto options = std::make_shared<PipelineOptions>();
  Command command =
      app.add_subcommand("pipeline", "Run a recipe of stages: data, training, sampling, evaluation");
  command->add_option("recipe", options->recipe, "TOML file with the stages")
      ->required()
      ->check(existing_file());
  command->add_option("-o,--output", options->output,
                      "folder of the run, which continues what is there; if not given: the recipe's");
  command->add_flag("--plan", options->plan, "print memory and time of each stage, and run nothing");
  command->callback([options, app] { run(*options, app); });
}

}  // namespace r1::cli
