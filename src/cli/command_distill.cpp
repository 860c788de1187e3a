// r1 distill: options of teacher, filters and student.
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/answer_options.h"
#include "cli/commands.h"
#include "cli/distillation.h"
#include "cli/option_file.h"
#include "cli/train_options.h"

namespace r1::cli {
namespace {

constexpr const char* kStudent = "student";

void add_filter_options(Command command, rl::AnswerFilterOptions& filter) {
  command->add_flag("--right,!--no-right", filter.right,
                    "keep right answers alone; without it questions need no answer that a rule can check");
  command->add_flag("--well-formed,!--no-well-formed", filter.format,
                    "keep answers whose thinking was closed once and that have one box");
  command->add_option("--language-share", filter.language,
                      "smallest share of words in the question's language; 0: any");
  command->add_option("--repeated-share", filter.repetition,
                      "largest share of word triples that occurred before; 1: any");
  command->add_option("--shortest", filter.shortest, "smallest number of tokens")->check(not_negative());
  command->add_option("--longest", filter.longest, "largest number of tokens; 0: any")->check(not_negative());
  command->add_flag("--distinct,!--no-distinct", filter.distinct, "keep equal answers to a question once");
  command->add_option("--per-question", filter.per_question, "answers kept of each question; 0: all")
      ->check(not_negative());
}

void run(DistillationOptions& options, std::string config, Command command) {
  // "--data a.jsonl run.toml": the list has taken the file behind it too.
  if (config.empty() && options.data.size() > 1 && options.data.back().ends_with(".toml")) {
    config = options.data.back();
    options.data.pop_back();
  }
  if (!config.empty()) read_option_file(command, config, {kStudent});
  if (options.data.empty()) throw_error(ErrorKind::invalid_argument, "--data: expected at least one file");
  if (options.output.empty()) throw_error(ErrorKind::invalid_argument, "--output: expected a directory");
  if (!options.teacher.endpoints.empty() && !options.teacher.model.empty())
    throw_error(ErrorKind::invalid_argument, "expected --teacher or --endpoint, found both");
  for (const char* name : {"--student-data", "--student-output", "--student-resume", "--student-overwrite"}) {
    if (command->count(name) > 0)
      throw_error(ErrorKind::invalid_argument,
                  "{}: set by distill: the student learns kept.jsonl, in OUTPUT/student", name);
  }
  if (options.student.model.empty() && options.student.tokenizer.empty() && !options.samples_only) {
    throw_error(
        ErrorKind::invalid_argument,
        "expected a student (--student-model, or --student-tokenizer for a new model) or --samples-only");
  }
  if (!options.samples_only)
    complete_training_options(command, options.student, TrainingStage::sft, std::string(kStudent) + "_");
  distill(options);
}

}  // namespace

void add_distill_command(Command app) {
  auto options = std::make_shared<DistillationOptions>();
  auto config = std::make_shared<std::string>();
  options->teacher.samples = 4;
  options->teacher.max_tokens = 32'768;
  Command command = app.add_subcommand(
      "distill", "Sample a teacher's answers, keep the good ones, and train a student on them");
  command
      ->add_option("config", *config,
                   "TOML file with options; its table [student] is the student's; flags win over it")
      ->check(existing_file());
  command->add_option("--data", options->data, "questions: training files, .jsonl, .json, .csv, .tsv")
      ->delimiter(',');
  command->add_option("-o,--output", options->output, "folder of the run, which continues what is there");
  command->add_option("-m,--teacher", options->teacher.model,
                      "GGUF file, hub directory or hub name; none: the small model that ships with r1");
  command->add_option("-k,--samples", options->teacher.samples, "answers to each question")
      ->check(in_range(1, 100'000));
  command
      ->add_option("-n,--max-tokens", options->teacher.max_tokens, "tokens of an answer, thinking included")
      ->check(in_range(int64_t{1}, int64_t{1} << 24));
  add_answer_options(command, options->teacher);
  add_filter_options(command, options->filter);
  command->add_flag("--samples-only", options->samples_only,
                    "no student is trained: kept.jsonl is the result");
  add_training_options(command, options->student, TrainingStage::sft, std::string(kStudent) + "_");
  command->callback([options, config, command] { run(*options, *config, command); });
}

}  // namespace r1::cli
