// r1 pull, list, show, rm: models from a hub, in the cache folder.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/model_location.h"
#include "cli/progress_bar.h"
#include "cli/terminal_text.h"
#include "formats/model_file.h"

namespace r1::cli {
namespace {

void pull(const std::string& name, int connections) {
  fmt::print("{}\n", pull_model(HubReference::parse(name), connections).path.string());
}

void list() {
  const auto models = default_model_cache().list();
  if (models.empty()) {
    fmt::print("no models yet; `r1 pull OWNER/NAME:QUANT` downloads one\n");
    return;
  }
  size_t width = 5;
  for (const CachedModel& model : models) width = std::max(width, model.reference.to_string().size());
  fmt::print("{:<{}}  {:>10}  {}\n", "MODEL", width, "SIZE", "PATH");
  for (const CachedModel& model : models) {
    fmt::print("{:<{}}  {:>10}  {}\n", model.reference.to_string(), width,
               format_bytes(static_cast<double>(model.bytes)), model.path.string());
  }
}

std::string format_shape(const TensorView& tensor) {
  std::string text;
  for (int64_t dimension : tensor.shape) text += (text.empty() ? "" : " × ") + std::to_string(dimension);
  return text.empty() ? "scalar" : text;
}

void show_metadata(const GgufFile& file) {
  for (const std::string_view key : file.keys()) {
    const GgufValue& value = *file.find_value(key);
    std::string text;
    if (value.type == GgufType::array) {
      text = fmt::format("{} × {}", value.count, name(value.element_type));
    } else if (value.type == GgufType::string) {
      text = file.require_string(key);
      if (text.size() > 120) text = fmt::format("{} characters", text.size());
    } else if (value.type == GgufType::f32 || value.type == GgufType::f64) {
      text = fmt::format("{}", file.require_f32(key));
    } else if (value.type == GgufType::boolean) {
      text = file.require_bool(key) ? "true" : "false";
    } else if (value.type == GgufType::u64) {
      text = std::to_string(file.require_u64(key));
    } else {
      text = std::to_string(*file.find_i64(key));
    }
    fmt::print("  {:<48} {}\n", terminal_text(key), terminal_text(text));
  }
}

void show(const std::string& model, bool tensors) {
  const auto file = ModelFile::open(locate_model(model));
  fmt::print("{}\n  {}, {} tensors\n", file->path().string(),
             format_bytes(static_cast<double>(file->total_bytes())), file->tensors().size());
  if (file->gguf() != nullptr) {
    fmt::print("\nGGUF v{}, {} file{}\n", file->gguf()->version(), file->gguf()->shard_count(),
               file->gguf()->shard_count() == 1 ? "" : "s");
    show_metadata(*file->gguf());
  } else {
    fmt::print("\nconfig.json\n{}\n", terminal_text(file->hub()->config->dump(2), true));
  }
  std::map<DType, std::pair<int64_t, size_t>> types;
  for (const TensorView& tensor : file->tensors()) {
    types[tensor.dtype].first += tensor.elements();
    types[tensor.dtype].second += tensor.bytes;
  }
  fmt::print("\nWeights by type\n");
  for (const auto& [dtype, sum] : types) {
    fmt::print("  {:<8} {:>16} weights {:>12}\n", name(dtype), sum.first,
               format_bytes(static_cast<double>(sum.second)));
  }
  if (!tensors) return;
  fmt::print("\nTensors\n");
  for (const TensorView& tensor : file->tensors()) {
    fmt::print("  {:<48} {:<8} {}\n", terminal_text(tensor.name), name(tensor.dtype), format_shape(tensor));
  }
}

void remove(const std::string& name) {
  default_model_cache().remove(HubReference::parse(name));
  fmt::print("removed {}\n", name);
}

}  // namespace

void add_hub_commands(Command app) {
  struct Options {
    std::string model;
    int connections = DownloadOptions().connections;
    bool tensors = false;
  };
  auto options = std::make_shared<Options>();

  Command pulling = app.add_subcommand("pull", "Download a model from a hub (HF_ENDPOINT, HF_TOKEN)");
  pulling->add_option("model", options->model, "OWNER/NAME[@REVISION][:QUANT]")
      ->required()
      ->capture_default_str();
  pulling->add_option("--connections", options->connections, "parallel connections")->check(in_range(1, 64));
  pulling->callback([options] { pull(options->model, options->connections); });

  app.add_subcommand("list", "Pulled models")->callback([] { list(); });

  Command showing = app.add_subcommand("show", "What a model file holds");
  showing->add_option("model", options->model, "file, hub directory or pulled model")->required();
  showing->add_flag("--tensors", options->tensors, "also each tensor's name, type and shape");
  showing->callback([options] { show(options->model, options->tensors); });

  Command removing = app.add_subcommand("rm", "Delete a pulled model");
  removing->add_option("model", options->model, "as `r1 list` writes it")->required();
  removing->callback([options] { remove(options->model); });
}

}  // namespace r1::cli
