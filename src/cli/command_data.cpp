// r1 data make: the generated corpus.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "formats/output_file.h"
#include "tasks/corpus.h"

namespace r1::cli {
namespace {

using tasks::CorpusOptions;
using tasks::Problem;

struct MakeOptions {
  std::vector<std::string> kinds, levels;
  std::string split = "train", language = "mix", form = "triple", out;
  CorpusOptions corpus;
};

/// "addition", "addition:3": the kind and its share of the mixture.
std::vector<tasks::KindWeight> read_kinds(const std::vector<std::string>& texts) {
  std::vector<tasks::KindWeight> kinds;
  for (const std::string& text : texts) {
    if (text == "all") {
      kinds.insert(kinds.end(), tasks::default_mixture().begin(), tasks::default_mixture().end());
      continue;
    }
    const size_t colon = text.find(':');
    tasks::KindWeight kind{text.substr(0, colon), 1};
    if (colon != std::string::npos) {
      try {
        size_t used = 0;
        kind.weight = std::stod(text.substr(colon + 1), &used);
        if (used != text.size() - colon - 1) throw std::invalid_argument(text);
      } catch (const std::exception&) {
        throw_error(ErrorKind::invalid_argument, "--kind: expected NAME or NAME:SHARE, found '{}'", text);
      }
    }
    kinds.push_back(kind);
  }
  return kinds;
}

/// "2" or "1-3".
std::vector<int> read_levels(const std::vector<std::string>& texts) {
  std::vector<int> levels;
  for (const std::string& text : texts) {
    const bool one = text.size() == 1, range = text.size() == 3 && text[1] == '-';
    if ((!one && !range) || text.front() < '1' || text.back() > '4' || text.front() > text.back()) {
      throw_error(ErrorKind::invalid_argument, "--level: expected 1 to 4 or a range as 1-3, found '{}'",
                  text);
    }
    for (int level = text.front() - '0'; level <= text.back() - '0'; ++level) levels.push_back(level);
  }
  return levels;
}

void make(MakeOptions& options) {
  CorpusOptions& corpus = options.corpus;
  if (!options.kinds.empty()) corpus.kinds = read_kinds(options.kinds);
  if (!options.levels.empty()) corpus.levels = read_levels(options.levels);
  if (options.language == "en") corpus.languages = {tasks::Language::english};
  if (options.language == "zh") corpus.languages = {tasks::Language::chinese};
  corpus.split = options.split == "test" ? tasks::Split::test : tasks::Split::train;
  const InterruptGuard guard;
  std::map<std::string, int64_t> counts;
  const auto count = [&](const Problem& problem) {
    if (InterruptGuard::interrupted()) throw_error(ErrorKind::cancelled, "interrupted");
    ++counts[problem.kind];
  };
  // Pairs and labels need answers that can be wrong: small talk keeps its place as a good answer.
  int64_t number = 0;
  const auto line_of = [&](const Problem& problem) -> std::string {
    if (options.form == "triple") return to_json_line(problem) + "\n";
    const std::optional<Problem> slip = tasks::with_slip(problem);
    if (options.form == "pairs") return slip ? to_pair_line(problem, *slip) + "\n" : std::string();
    const bool good = !slip || ++number % 2 == 1;
    return to_labelled_line(good ? problem : *slip, good) + "\n";
  };
  int64_t made = 0;
  if (options.out == "-") {
    made = make_corpus(corpus, [&](const Problem& problem) {
      count(problem);
      fmt::print("{}", line_of(problem));
    });
    if (std::fflush(stdout) != 0) throw_error(ErrorKind::io, "standard output: cannot write");
  } else {
    OutputFile file(options.out);
    ProgressBar bar("make", "samples");
    made = make_corpus(corpus, [&](const Problem& problem) {
      count(problem);
      file.write(std::string_view(line_of(problem)));
      bar.update(static_cast<uint64_t>(++made), static_cast<uint64_t>(corpus.count));
    });
    file.finish();
    bar.finish();
  }
  for (const auto& [kind, samples] : counts) fmt::print(stderr, "{:<16} {:>9}\n", kind, samples);
  if (made < corpus.count) {
    fmt::print(stderr, "r1: {} samples were asked for; there are no more than {} distinct problems\n",
               corpus.count, made);
  }
}

void add_make_command(Command data) {
  auto options = std::make_shared<MakeOptions>();
  Command command = data.add_subcommand("make", "Write generated exercises with worked answers");
  command
      ->add_option("--kind,--kinds", options->kinds,
                   fmt::format("all (but chain), or of {}; NAME:SHARE weighs them",
                               fmt::join(tasks::kind_names(), " ")))
      ->delimiter(',');
  command->add_option("--level,--levels", options->levels, "1 to 4, or a range as 1-3; all if not given")
      ->delimiter(',');
  command->add_option("--language", options->language, "language of the exercises")
      ->check(one_of({"en", "zh", "mix"}));
  command->add_option("--split", options->split, "no problem of the test split is in the training split")
      ->check(one_of({"train", "test"}));
  command
      ->add_option("--form", options->form,
                   "triple: question, think, answer; pairs: chosen and, with a slip, rejected; labels: every "
                   "second answer with a slip (KTO)")
      ->check(one_of({"triple", "pairs", "labels"}));
  command
      ->add_option("--count", options->corpus.count,
                   "exercises to make (pairs: less those whose answer is no whole number)")
      ->check(in_range(int64_t{0}, int64_t{1} << 40));
  command->add_option("--seed", options->corpus.seed, "same seed and options, same file");
  command->add_option("--full", options->corpus.full, "share of traces with every column worked out");
  command->add_option("--brief", options->corpus.brief, "share of traces with operations only");
  command->add_option("--none", options->corpus.none, "share of samples without a trace");
  tasks::SampleStyle& style = options->corpus.style;
  command->add_flag("--narrated", style.narrated,
                    "words around the steps: a first line, and a word before each step");
  command->add_option("--mixed", style.mixed, "share of narrated samples that mix English and Chinese words");
  command->add_option("--unboxed", style.unboxed, "share of answers without a box");
  command->add_option("--broken", style.broken, "share of answers with a broken box");
  command->add_option("--history", options->corpus.history, "share of samples with earlier turns")
      ->check(in_range(0.0, 1.0));
  command
      ->add_option("--box-instruction", options->corpus.box_instruction,
                   "share of questions that ask for steps and a \\boxed{} answer")
      ->check(in_range(0.0, 1.0));
  command->add_flag("--distinct", options->corpus.distinct,
                    "no problem twice, in whatever wording (always so for the test split)");
  command->add_option("-o,--out", options->out, "JSONL file to write; - for standard output")->required();
  command->callback([options] { make(*options); });
}

}  // namespace

void add_data_commands(Command app) {
  Command data = app.add_subcommand("data", "Make, look at and score training data");
  data->require_subcommand(1);
  add_make_command(data);
  add_data_check_command(data);
  add_data_score_command(data);
}

}  // namespace r1::cli
