// r1 data check: how a data file's samples are rendered and what is wrong with them, before training.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "cli/shipped_model.h"
#include "formats/hub_directory.h"
#include "formats/json_file.h"
#include "formats/model_file.h"
#include "formats/vocabulary.h"
#include "train/data/data_sample.h"
#include "train/data/render.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

struct CheckOptions {
  std::vector<std::string> files, columns;
  std::string model, format = "auto", train_on = "last";
  int64_t show = 3, sequence_length = 0;
};

constexpr size_t kListed = 10;  // of each kind of complaint

SampleRenderer load_renderer(const std::string& model) {
  if (model.empty()) {
    fmt::print(stderr,
               "r1: template and tokens of the model that ships with r1; -m names the one that you train\n");
  }
  const fs::path path =
      model.empty() ? locate_shipped_model("r1 data check FILE -m MODEL") : locate_model(model);
  if (fs::is_directory(path) && !fs::exists(path / "config.json") && fs::exists(path / "tokenizer.json")) {
    const std::string config =
        fs::exists(path / "tokenizer_config.json") ? read_text_file(path / "tokenizer_config.json") : "{}";
    Tokenizer tokenizer = Tokenizer::from_hub(read_text_file(path / "tokenizer.json"), config);
    std::vector<int32_t> ends;
    if (tokenizer.eos()) ends.push_back(*tokenizer.eos());
    return {std::move(tokenizer), read_chat_template(path).value_or(""), ends};
  }
  Vocabulary vocabulary = load_vocabulary(*ModelFile::open(path));
  return {vocabulary.tokenizer, vocabulary.chat_template, vocabulary.end_of_generation};
}

/// The text with its trained tokens green on a terminal, else in ⟦ ⟧.
std::string mark(const TokenSequence& sequence, const Tokenizer& tokenizer, bool colour) {
  const char* open = colour ? "\x1b[32m" : "⟦";
  const char* close = colour ? "\x1b[0m" : "⟧";
  std::string text;
  size_t i = 0;
  while (i < sequence.tokens.size()) {
    const uint8_t trained = sequence.trained[i];
    const size_t first = i;
    while (i < sequence.tokens.size() && sequence.trained[i] == trained) ++i;
    const std::string part = tokenizer.decode(std::span(sequence.tokens).subspan(first, i - first), false);
    text += trained != 0 ? open + part + close : part;
  }
  return text;
}

uint64_t hash_tokens(std::span<const int32_t> tokens) {
  uint64_t hash = 0x9e3779b97f4a7c15ULL;
  for (const int32_t token : tokens)
    hash = (hash ^ static_cast<uint32_t>(token)) * 0x100000001b3ULL ^ hash >> 29U;
  return hash;
}

class Report {
 public:
  Report(const SampleRenderer& renderer, const CheckOptions& options)
      : renderer_(renderer), options_(options), colour_(isatty(STDOUT_FILENO) != 0) {}

  void add(const DataSample& sample) {
    ++forms_[std::string(name_of(sample.format))];
    std::vector<TrainingSample> rendered;
    try {
      rendered = renderer_.render(sample, choice_of<TrainedTurns>("train_on", options_.train_on));
    } catch (const Error& error) {
      return bad(error.what());
    }
    for (const SampleRenderer::ControlToken& token : renderer_.control_tokens_in(sample))
      (token.ends_turn_of_answer ? ends_in_answers_ : control_tokens_).push_back(token.place);
    for (const TrainingSample& result : rendered) add(result);
  }

  void bad(const std::string& message) { bad_.push_back(message); }

  /// Whether everything is well.
  bool print() {
    if (!lengths_.empty()) print_lengths();
    print_list("identical to an earlier sample", duplicates_);
    print_list("the same prompt with another answer", repeated_prompts_);
    print_list(fmt::format("longer than {} tokens", options_.sequence_length), long_);
    print_list("no token is trained", untrained_);
    print_list("both answers of the pair are the same", equal_pairs_);
    print_list("control tokens in the texts, which become tokens", control_tokens_);
    print_list("the token that ends a turn is inside an answer", ends_in_answers_);
    print_list("wrong", bad_);
    return bad_.empty() && ends_in_answers_.empty() && long_.empty() && untrained_.empty() &&
           equal_pairs_.empty();
  }

 private:
  void add(const TrainingSample& sample) {
    without_thinking_ += sample.without_thinking ? 1 : 0;
    if (shown_ < options_.show) {
      ++shown_;
      fmt::print("── {}\n{}\n", sample.source, mark(sample.sequence, renderer_.tokenizer(), colour_));
      if (!sample.rejected.tokens.empty()) {
        fmt::print("── {}, rejected\n{}\n", sample.source,
                   mark(sample.rejected, renderer_.tokenizer(), colour_));
      }
    }
    for (const TokenSequence* sequence : {&sample.sequence, &sample.rejected}) {
      if (sequence->tokens.empty()) continue;
      const auto length = static_cast<int64_t>(sequence->tokens.size());
      lengths_.push_back(length);
      const int64_t trained = std::count(sequence->trained.begin(), sequence->trained.end(), 1);
      trained_ += trained;
      if (trained == 0) untrained_.push_back(sample.source);
      if (options_.sequence_length > 0 && length > options_.sequence_length) {
        long_.push_back(fmt::format("{}: {} tokens", sample.source, length));
      }
    }
    if (sample.sequence.tokens == sample.rejected.tokens) equal_pairs_.push_back(sample.source);
    const std::vector<int32_t>& tokens = sample.sequence.tokens;
    const uint64_t whole = hash_tokens(tokens) ^ hash_tokens(sample.rejected.tokens);
    const auto first =
        static_cast<size_t>(std::find(sample.sequence.trained.begin(), sample.sequence.trained.end(), 1) -
                            sample.sequence.trained.begin());
    if (const auto [seen, is_new] = samples_.emplace(whole, sample.source); !is_new) {
      duplicates_.push_back(fmt::format("{} (as {})", sample.source, seen->second));
    } else if (first > 0) {
      const auto [prompt, new_prompt] =
          prompts_.emplace(hash_tokens(std::span(tokens).first(first)), sample.source);
      if (!new_prompt) repeated_prompts_.push_back(fmt::format("{} (as {})", sample.source, prompt->second));
    }
  }

  void print_lengths() {
    std::sort(lengths_.begin(), lengths_.end());
    int64_t total = 0;
    for (const int64_t length : lengths_) total += length;
    std::string forms;
    for (const auto& [form, count] : forms_)
      forms += fmt::format("{}{} {}", forms.empty() ? "" : ", ", count, form);
    const auto at = [&](double share) {  // nearest rank
      return lengths_[static_cast<size_t>(std::ceil(share * static_cast<double>(lengths_.size()))) - 1];
    };
    fmt::print("\n{} samples ({}), {} sequences, {} tokens, {} of them trained ({:.1f}%)\n",
               samples_.size() + duplicates_.size(), forms, lengths_.size(), total, trained_,
               100.0 * static_cast<double>(trained_) / static_cast<double>(total));
    if (without_thinking_ > 0) {
      fmt::print("{} answers have no thinking: they are trained behind a closed, empty <think> block\n",
                 without_thinking_);
    }
    fmt::print("tokens of a sequence: least {}, median {}, 95% {}, 99% {}, most {}\n", lengths_.front(),
               at(0.5), at(0.95), at(0.99), lengths_.back());
    // Bins of a round width, at most 20.
    static constexpr std::array<int64_t, 3> kSteps = {1, 2, 5};
    int64_t width = 1;
    for (size_t i = 0; lengths_.back() / width >= 20; ++i) {
      width = kSteps[i % 3];
      for (size_t power = 0; power < i / 3; ++power) width *= 10;
    }
    std::vector<int64_t> bins(static_cast<size_t>(lengths_.back() / width + 1), 0);
    for (const int64_t length : lengths_) ++bins[static_cast<size_t>(length / width)];
    const int64_t most = *std::max_element(bins.begin(), bins.end());
    for (auto i = static_cast<size_t>(lengths_.front() / width); i < bins.size(); ++i) {
      std::string bar;
      for (int64_t j = 0; j < (bins[i] * 50 + most - 1) / most; ++j) bar += "█";
      const auto low = static_cast<int64_t>(i) * width;
      fmt::print("{:>7}–{:<7} {:>8} {}\n", low, low + width - 1, bins[i], bar);
    }
  }

  static void print_list(const std::string& what, const std::vector<std::string>& places) {
    if (places.empty()) return;
    fmt::print("\n{}: {}\n", what, places.size());
    for (size_t i = 0; i < std::min(places.size(), kListed); ++i) fmt::print("  {}\n", places[i]);
    if (places.size() > kListed) fmt::print("  and {} more\n", places.size() - kListed);
  }

  const SampleRenderer& renderer_;
  const CheckOptions& options_;
  bool colour_;
  int64_t shown_ = 0, trained_ = 0, without_thinking_ = 0;
  std::map<std::string, int64_t> forms_;
  std::vector<int64_t> lengths_;
  std::unordered_map<uint64_t, std::string> samples_, prompts_;
  std::vector<std::string> duplicates_, repeated_prompts_, long_, untrained_, equal_pairs_, bad_;
  std::vector<std::string> control_tokens_, ends_in_answers_;
};

void check(const CheckOptions& options) {
  ReadOptions read;
  read.format = choice_of<DataFormat>("format", options.format);
  read.columns = column_names(options.columns);
  const SampleRenderer renderer = load_renderer(options.model);
  Report report(renderer, options);
  for (const std::string& file : options.files) {
    read_data_samples(
        file, read, [&](const DataSample& sample) { report.add(sample); },
        [&](const std::string& message) { report.bad(message); });
  }
  if (!report.print()) throw_error(ErrorKind::bad_file, "the data is not fit for training: see above");
}

}  // namespace

void add_data_check_command(Command data) {
  auto options = std::make_shared<CheckOptions>();
  Command command = data.add_subcommand(
      "check", "How samples are rendered, with the trained tokens marked; lengths, duplicates, bad lines");
  command->add_option("files", options->files, ".jsonl, .json, .csv, .tsv, .txt or .md")
      ->required()
      ->check(existing_file());
  command->add_option("-m,--model", options->model,
                      "model whose template and tokenizer count, or a tokenizer's directory; none: the model "
                      "that ships");
  command->add_option("--format", options->format,
                      "auto, text, triple, alpaca, sharegpt, messages, completion, preference or kto");
  command
      ->add_option("--columns,--column", options->columns,
                   "own names of fields, as question=Frage,answer=Antwort")
      ->allow_extra_args(false)
      ->delimiter(',');
  command->add_option("--train-on", options->train_on, "answers that are trained: last, all")
      ->check(one_of({"last", "all"}));
  command->add_flag_callback(
      "--all-turns", [options] { options->train_on = "all"; }, "the same as --train-on all");
  command->add_option("--show", options->show, "samples to show")
      ->check(in_range(int64_t{0}, int64_t{1} << 40));
  command
      ->add_option("--sequence-length", options->sequence_length, "complain about longer sequences; 0: never")
      ->check(in_range(int64_t{0}, int64_t{1} << 40));
  command->callback([options] { check(*options); });
}

}  // namespace r1::cli
