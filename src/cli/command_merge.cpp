// r1 merge: a base and an adapter become a model.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "formats/json_file.h"
#include "formats/model_file.h"
#include "formats/output_file.h"
#include "formats/vocabulary.h"
#include "model/gguf_adapter.h"
#include "model/low_rank_adapter.h"
#include "train/data/render.h"
#include "train/new_model.h"

namespace r1::cli {
namespace {

namespace fs = std::filesystem;

struct MergeOptions {
  std::string model, adapter, output, type = "auto";
};

// The token that ends an answer in the base's chat template, as training renders it; nothing where that is not known.
std::optional<int32_t> trained_end(const ModelFile& base) {
  const Vocabulary vocabulary = load_vocabulary(base);
  if (vocabulary.chat_template.empty()) return std::nullopt;
  try {
    return SampleRenderer(vocabulary.tokenizer, vocabulary.chat_template, vocabulary.end_of_generation)
        .end_token();
  } catch (const Error&) {
    return std::nullopt;  // not a template that training takes
  }
}

/// A GGUF base gives a GGUF file.
void merge_gguf(const MergeOptions& options, const std::shared_ptr<const ModelFile>& base) {
  if (!options.output.ends_with(".gguf")) {
    throw_error(ErrorKind::invalid_argument,
                "--output: expected a file .gguf, as the base is one, found '{}'", options.output);
  }
  for (const fs::path& shard : base->gguf()->shard_paths()) require_apart(options.output, shard);
  std::optional<DType> type;
  if (options.type != "auto") type = dtype_from_name(options.type);
  const auto adapter = LowRankAdapter::open(options.adapter, *base);
  const int64_t changed = write_merged_gguf(options.output, *base->gguf(), *base, *adapter, type);
  fmt::print("{}: {} of {} tensors changed\n", options.output, changed, base->tensors().size());
}

void merge(const MergeOptions& options) {
  const auto base = ModelFile::open(locate_model(options.model));
  require_apart(options.output, base->path());
  if (base->gguf() != nullptr) return merge_gguf(options, base);
  const auto adapter = LowRankAdapter::open(options.adapter, *base);
  std::vector<AlignedBytes> sums;
  const FloatMemory memory = [&](const std::string&, const std::vector<int64_t>& shape) {
    sums.push_back(allocate_aligned(static_cast<size_t>(shape[0] * shape[1]) * sizeof(float)));
    return FloatTensor{reinterpret_cast<float*>(sums.back().get()), nullptr};
  };
  const fs::path own_template = fs::path(options.adapter) / "chat_template.jinja";
  HubDescription description{*base->hub()->config, base->path(), {}, ""};
  if (fs::exists(own_template)) description.chat_template = read_text_file(own_template);
  if (const auto end = trained_end(*base)) description.ends.push_back(*end);
  write_hub_directory(options.output, description, adapter->merged(*base, memory),
                      choice_of<SaveType>("type", options.type), base.get());
  fmt::print("{}: {} of {} tensors changed\n", options.output, sums.size(), base->tensors().size());
}

}  // namespace

void add_merge_command(Command app) {
  auto options = std::make_shared<MergeOptions>();
  Command command = app.add_subcommand("merge", "Add a LoRA adapter to a model's weights");
  command->add_option("model", options->model, "the base: a hub directory, or a GGUF file")->required();
  command->add_option("adapter", options->adapter, "PEFT directory, or a GGUF adapter")
      ->required()
      ->check(Check([](const std::string& path) { return fs::exists(path) ? "" : "not found: " + path; },
                    "PATH"));
  command->add_option("-o,--output", options->output, "directory to write; of a GGUF base a file .gguf")
      ->required();
  command->add_option("--type", options->type, "type of the written weights; auto: the base's")
      ->check(one_of({"auto", "f32", "bf16", "f16"}));
  command->callback([options] { merge(*options); });
}

}  // namespace r1::cli
