// r1 merge: a base and an adapter become a model.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "formats/model_file.h"
#include "formats/output_file.h"
#include "model/low_rank_adapter.h"
#include "train/new_model.h"

namespace r1::cli {
namespace {

struct MergeOptions {
  std::string model, adapter, output, type = "auto";
};

void merge(const MergeOptions& options) {
  const auto base = ModelFile::open(locate_model(options.model));
  if (base->hub() == nullptr) {
    throw_error(ErrorKind::unsupported,
                "{}: merging takes a hub directory (r1 convert makes GGUF of the result)", options.model);
  }
  require_apart(options.output, base->path());
  const auto adapter = LowRankAdapter::open(options.adapter, *base);
  std::vector<AlignedBytes> sums;
  const FloatMemory memory = [&](const std::string&, const std::vector<int64_t>& shape) {
    sums.push_back(allocate_aligned(static_cast<size_t>(shape[0] * shape[1]) * sizeof(float)));
    return reinterpret_cast<float*>(sums.back().get());
  };
  write_hub_directory(options.output, *base->hub()->config, base->path(), adapter->merged(*base, memory),
                      options.type, base.get());
  fmt::print("{}: {} of {} tensors changed\n", options.output, sums.size(), base->tensors().size());
}

}  // namespace

void add_merge_command(Command app) {
  auto options = std::make_shared<MergeOptions>();
  Command command = app.add_subcommand("merge", "Add a LoRA adapter to a model's weights");
  command->add_option("model", options->model, "hub directory of the base")->required();
  command->add_option("adapter", options->adapter, "PEFT directory")->required()->check(existing_directory());
  command->add_option("-o,--output", options->output, "directory to write")->required();
  command->add_option("--type", options->type, "type of the written weights; auto: the base's")
      ->check(one_of({"auto", "f32", "bf16", "f16"}));
  command->callback([options] { merge(*options); });
}

}  // namespace r1::cli
