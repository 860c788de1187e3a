// r1 train tokenizer: a byte-level BPE vocabulary from text and data files.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/progress_bar.h"
#include "formats/json_file.h"
#include "formats/output_file.h"
#include "text/tokenizer.h"
#include "train/data/tokenizer_trainer.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

struct TokenizerOptions {
  std::vector<std::string> files, fields;
  std::string out;
  int64_t context_length = 4096;
  TokenizerTrainerOptions trainer;
};

// Names under which data files of the usual forms keep their text.
constexpr std::array<std::string_view, 17> kTextFields = {
    "question",    "think", "answer",   "text",       "content",          "value",
    "instruction", "input", "output",   "prompt",     "chosen",           "rejected",
    "system",      "query", "response", "completion", "reasoning_content"};

void add_strings(TokenizerTrainer& trainer, const nlohmann::json& value, const TokenizerOptions& options) {
  if (value.is_array()) {
    for (const auto& item : value) add_strings(trainer, item, options);
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      if (!member.is_string()) {
        add_strings(trainer, member, options);
        continue;
      }
      const bool wanted =
          options.fields.empty()
              ? std::find(kTextFields.begin(), kTextFields.end(), key) != kTextFields.end()
              : std::find(options.fields.begin(), options.fields.end(), key) != options.fields.end();
      if (wanted) trainer.add(member.get_ref<const std::string&>());
    }
  }
}

void add_lines(TokenizerTrainer& trainer, const std::string& file, const TokenizerOptions& options) {
  const std::string text = read_text_file(file);
  ProgressBar bar(fs::path(file).filename().string(), "B");
  size_t start = 0;
  for (int64_t number = 1; start < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line(text.data() + start, end - start);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      add_strings(trainer, parse_json(line, fmt::format("{}:{}", file, number)), options);
    }
    start = end + 1;
    bar.update(std::min(start, text.size()), text.size());
  }
  bar.finish();
}

void train_tokenizer(const TokenizerOptions& options) {
  TokenizerTrainer trainer;
  for (const std::string& file : options.files) {
    const std::string extension = fs::path(file).extension().string();
    if (extension == ".jsonl") {
      add_lines(trainer, file, options);
    } else if (extension == ".json") {
      add_strings(trainer, read_json(file), options);
    } else {
      trainer.add(read_text_file(file));
    }
  }
  if (trainer.distinct_words() == 0) {
    throw_error(ErrorKind::invalid_argument,
                "{}: expected text to learn from, found none (--fields names the JSON fields that hold it)",
                options.files.front());
  }
  const TrainedTokenizer trained = trainer.train(options.trainer);
  const std::string json = trained.tokenizer_json();
  const std::string config = trained.tokenizer_config_json(options.context_length);
  const Tokenizer tokenizer = Tokenizer::from_hub(json, config);  // what is written can be read
  fs::create_directories(options.out);
  for (const auto& [name, text] : {std::pair<const char*, const std::string&>{"tokenizer.json", json},
                                   {"tokenizer_config.json", config}}) {
    OutputFile file(fs::path(options.out) / name);
    file.write(std::string_view(text));
    file.finish();
  }
  fmt::print("{}: {} tokens ({} merges) from {} of text, {} distinct words\n", options.out, tokenizer.size(),
             trained.merges.size(), format_bytes(static_cast<double>(trainer.bytes())),
             trainer.distinct_words());
  if (tokenizer.size() < options.trainer.vocabulary_size) {
    fmt::print(stderr, "r1: {} tokens were asked for: the text has no more pairs that occur {} times\n",
               options.trainer.vocabulary_size, options.trainer.minimum_count);
  }
}

}  // namespace

void add_train_tokenizer_command(Command train) {
  auto options = std::make_shared<TokenizerOptions>();
  Command command =
      train.add_subcommand("tokenizer", "A byte-level BPE vocabulary with R1's special tokens and template");
  command->add_option("files", options->files, "text files; of .jsonl and .json the fields that hold text")
      ->required()
      ->check(existing_file());
  command->add_option("-o,--out", options->out, "directory for tokenizer.json and tokenizer_config.json")
      ->required();
  command->add_option("--vocabulary-size,--vocab-size", options->trainer.vocabulary_size,
                      "tokens in all, special ones included");
  command->add_option("--minimum-count", options->trainer.minimum_count,
                      "pairs that occur less often are not merged");
  command->add_option("--maximum-bytes", options->trainer.maximum_bytes, "longest token in ASCII");
  command->add_option("--maximum-other-bytes", options->trainer.maximum_other_bytes,
                      "longest token with other characters: 6 are two of Chinese");
  command->add_option("--fields", options->fields, "JSON fields to read instead of the usual ones")
      ->delimiter(',');
  command->add_option("--context-length", options->context_length, "model_max_length")
      ->check(in_range(int64_t{1}, int64_t{1} << 30));
  command->callback([options] { train_tokenizer(*options); });
}

}  // namespace r1::cli
