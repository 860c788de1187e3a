// r1 eval: benchmarks asked; its subcommands are in command_eval_*.cpp.
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/answer_options.h"
#include "cli/commands.h"
#include "cli/evaluation.h"

namespace r1::cli {
namespace {

void add_options(Command command, EvalOptions& options) {
  command->add_option("task", options.tasks, "benchmarks to ask: `r1 eval list` names them");
  command->add_option("-m,--model", options.model,
                      "GGUF file, hub directory or hub name; none: the small model that ships with r1");
  command->add_option("-k,--samples", options.samples, "answers to each question; 0: as the release has it")
      ->check(in_range(0, 100'000));
  command->add_option("--shard", options.shard,
                      "I/N: every Nth question from the Ith; `r1 eval report` joins the folders");
  command->add_option(
      "-o,--out", options.out,
      "folder of the run, which continues what is there; of several tasks a folder in it for each");
  command->add_option("--data", options.data,
                      "file or folder with the data; if not given: what `r1 eval fetch` got");
  command->add_option("--judge", options.judge,
                      "URL or URL#MODEL of the server that judges, for the tasks where a model decides");
  command->add_option("--judge-key-file", options.judge_key_file,
                      "file with the judge's key (or R1_JUDGE_API_KEY in the environment)");
  command
      ->add_option("-n,--max-tokens", options.max_tokens,
                   "tokens of an answer, thinking included; 0: as the release has it, 32,768")
      ->check(not_negative());
  add_answer_options(command, options);
}

/// `--endpoint A B` reads as an endpoint and a task.
void move_addresses(EvalOptions& options) {
  const auto is_address = [](const std::string& word) {
    return word.starts_with("http://") || word.starts_with("https://");
  };
  if (options.endpoints.empty()) return;
  for (const std::string& word : options.tasks) {
    if (is_address(word)) options.endpoints.push_back(word);
  }
  std::erase_if(options.tasks, is_address);
}

}  // namespace

void add_eval_command(Command app) {
  Command command =
      app.add_subcommand("eval", "Benchmarks by the protocol of the DeepSeek-R1 release, with intervals");
  auto options = std::make_shared<EvalOptions>();
  add_options(command, *options);
  add_eval_list_command(command);
  add_eval_fetch_command(command);
  add_eval_grade_command(command);
  add_eval_report_command(command);
  command->callback([options, command] {
    move_addresses(*options);
    if (command->has_subcommand_given()) {
      if (!options->tasks.empty())
        throw_error(ErrorKind::invalid_argument, "expected tasks or a subcommand, found '{}' beside one",
                    options->tasks.front());
      return;
    }
    if (options->tasks.empty())
      throw_error(ErrorKind::invalid_argument, "which task? r1 eval TASK; `r1 eval list` names them");
    if (!options->endpoints.empty() && !options->model.empty())
      throw_error(ErrorKind::invalid_argument, "expected --model or --endpoint, found both");
    evaluate(*options);
  });
}

}  // namespace r1::cli
