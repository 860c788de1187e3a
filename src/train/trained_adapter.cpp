#include "train/trained_adapter.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "model/adapter_modules.h"
#include "model/gguf_adapter.h"
#include "tensor/codec.h"
#include "train/truncated_svd.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using Module = LowRankAdapter::Module;

void check_options(const LowRankOptions& options, const ModelFile& file) {
  if (!(options.dropout >= 0 && options.dropout < 1)) {
    throw_error(ErrorKind::invalid_argument, "LoRA: dropout: expected 0 to below 1, found {}",
                options.dropout);
  }
  if (options.dora && (options.pissa || options.dropout > 0)) {
    throw_error(ErrorKind::unsupported, "LoRA: DoRA together with {} is not supported",
                options.pissa ? "PiSSA" : "dropout");
  }
  if (!options.pissa) return;
  for (const TensorView& tensor : file.tensors()) {
    const std::string module = adapter_module_of(file, tensor);
    const std::vector<std::string>& targets = options.targets;
    if (module.empty() ||
        (!targets.empty() && std::ranges::find(targets, last_part(module)) == targets.end()))
      continue;
    const int64_t most = std::min(tensor.shape[0], tensor.shape[1]);
    if (options.rank <= most) continue;
    throw_error(ErrorKind::invalid_argument, "PiSSA: {}: expected a rank of at most {}, found {}", module,
                most, options.rank);
  }
}

std::vector<float> decoded(const Module& module) {
  std::vector<float> values(static_cast<size_t>(module.outputs * module.inputs));
  const size_t bytes = row_bytes(module.base.dtype, module.inputs);
  for (int64_t row = 0; row < module.outputs; ++row) {
    dequantise_matrix_row(module.base.dtype, module.base.data + static_cast<size_t>(row) * bytes,
                          module.base.block_scales, row, module.inputs, 0,
                          {values.data() + row * module.inputs, static_cast<size_t>(module.inputs)});
  }
  return values;
}

// Uniform in ±1 / sqrt(inputs), by the seed and the tensor's name.
void begin_at_random(const Module& module, int64_t rank, uint64_t seed) {
  const double bound = 1 / std::sqrt(static_cast<double>(module.inputs));
  uint64_t stream = mix_bits(seed);
  for (const char c : module.name + ".lora_A.weight")
    stream = mix_bits(stream ^ static_cast<unsigned char>(c));
  for (int64_t i = 0; i < rank * module.inputs; ++i) {
    module.a[i] = static_cast<float>(bound * (2 * random_uniform(stream, static_cast<uint64_t>(i)) - 1));
  }
}

}  // namespace

FloatMemory TrainedAdapter::memory() {
  return [this](const std::string& name, const std::vector<int64_t>& shape) {
    Parameter& parameter = parameters_.add(name, shape);
    if (name.ends_with(".lora_B.weight")) parameter.rate_factor = options_.plus_ratio;
    return FloatTensor{parameter.values, parameter.gradient};
  };
}

void TrainedAdapter::begin_as_principal_part(Context& context, Module& module) {
  const int64_t rank = options_.rank;
  const TruncatedSvd svd = truncated_svd(context, decoded(module).data(), module.outputs, module.inputs, rank,
                                         mix_bits(options_.seed));
  const double scale = terms_->settings().scale();
  for (int64_t k = 0; k < rank; ++k) {
    const auto root = static_cast<float>(std::sqrt(svd.values[k] / scale));
    for (int64_t i = 0; i < module.inputs; ++i)
      module.a[k * module.inputs + i] = root * svd.right[k * module.inputs + i];
    for (int64_t o = 0; o < module.outputs; ++o)
      module.b[o * rank + k] = root * svd.left[k * module.outputs + o];
  }
  terms_->subtract_present(module);
}

std::unique_ptr<TrainedAdapter> TrainedAdapter::create(const ModelFile& file, const LowRankOptions& options) {
  check_options(options, file);
  std::unique_ptr<TrainedAdapter> made(new TrainedAdapter);
  if (file.gguf() != nullptr) made->gguf_architecture_ = file.gguf()->require_string("general.architecture");
  made->options_ = options;
  const AdapterSettings settings{options.rank, options.alpha,   options.rank_stabilised,
                                 options.dora, options.dropout, options.targets};
  made->terms_ = LowRankAdapter::create(file, settings, made->memory());
  for (const Module& module : made->terms_->modules()) begin_at_random(module, options.rank, options.seed);
  if (!options.pissa && !options.dora) return made;
  ThreadPool pool;
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  for (Module& module : made->terms_->modules()) {
    if (options.pissa) made->begin_as_principal_part(context, module);
  }
  made->terms_->refresh(context);
  for (const Module& module : made->terms_->modules()) {  // B is zero: the norms are those of W
    if (options.dora) std::copy(module.norms.begin(), module.norms.end(), module.magnitude);
  }
  return made;
}

std::unique_ptr<TrainedAdapter> TrainedAdapter::open(const fs::path& directory, const ModelFile& file,
                                                     double plus_ratio) {
  std::unique_ptr<TrainedAdapter> read(new TrainedAdapter);
  if (file.gguf() != nullptr) read->gguf_architecture_ = file.gguf()->require_string("general.architecture");
  read->options_.plus_ratio = plus_ratio;
  read->terms_ = LowRankAdapter::open(directory, file, read->memory());
  const AdapterSettings& settings = read->terms_->settings();
  read->options_.rank = settings.rank;
  read->options_.alpha = settings.alpha;
  read->options_.rank_stabilised = settings.rank_stabilised;
  read->options_.dora = settings.dora;
  read->options_.dropout = settings.dropout;
  read->options_.targets = settings.targets;
  return read;
}

namespace {

/// An adapter's tensors with memory of their own where they are not the parameters'.
struct WrittenAdapter {
  AdapterSettings settings;
  std::vector<AdapterTensor> tensors;
  std::vector<std::vector<float>> memory;
};

// PiSSA as an adapter of twice the rank: [A; A as it began], [B, -(B as it began)].
void double_rank(const std::vector<Module>& modules, WrittenAdapter& adapter) {
  const int64_t rank = adapter.settings.rank;
  adapter.settings.rank = 2 * rank;
  adapter.settings.alpha *= adapter.settings.rank_stabilised ? std::sqrt(2.0) : 2.0;
  for (AdapterTensor& tensor : adapter.tensors) {
    const auto module = std::ranges::find_if(modules, [&](const Module& one) {
      return tensor.values.data() == one.a || tensor.values.data() == one.b;
    });
    if (module == modules.end()) continue;
    std::vector<float>& pair = adapter.memory.emplace_back();
    if (tensor.values.data() == module->a) {
      pair.assign(module->a, module->a + rank * module->inputs);
      pair.insert(pair.end(), module->subtracted_a.begin(), module->subtracted_a.end());
      tensor.shape[0] = adapter.settings.rank;
    } else {
      for (int64_t o = 0; o < module->outputs; ++o) {
        pair.insert(pair.end(), module->b + o * rank, module->b + (o + 1) * rank);
        for (int64_t k = 0; k < rank; ++k) pair.push_back(-module->subtracted_b[o * rank + k]);
      }
      tensor.shape[1] = adapter.settings.rank;
    }
    tensor.values = pair;
  }
}

// Rows of B and of magnitudes from the order of a GGUF base to the hub's.
void reorder_rows(const std::vector<Module>& modules, WrittenAdapter& adapter) {
  for (AdapterTensor& tensor : adapter.tensors) {
    if (tensor.name.ends_with(".lora_A.weight")) continue;
    const auto module = std::ranges::find_if(
        modules, [&](const Module& one) { return tensor.name.starts_with(one.name + ".lora_"); });
    if (module == modules.end() || module->interleaved_heads == 0) continue;
    const int64_t rows = tensor.shape[0], columns = static_cast<int64_t>(tensor.values.size()) / rows;
    std::vector<float> ordered(tensor.values.size());
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(tensor.values.data() + row * columns, columns,
                  ordered.data() + hub_row(row, rows, module->interleaved_heads) * columns);
    }
    tensor.values = adapter.memory.emplace_back(std::move(ordered));
  }
}

}  // namespace

void TrainedAdapter::write(const fs::path& directory, const std::string& base_name) const {
  WrittenAdapter adapter;
  adapter.settings = terms_->settings();
  adapter.settings.dropout = options_.dropout;
  std::vector<std::string>& targets = adapter.settings.targets;
  targets.clear();
  for (const Module& module : terms_->modules()) targets.push_back(last_part(module.name));
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  bool has_head = false;
  for (const Parameter& parameter : parameters_.all()) {
    adapter.tensors.push_back(
        {parameter.name, parameter.shape, {parameter.values, static_cast<size_t>(parameter.count)}});
    has_head = has_head || parameter.name == kRewardHead;
  }
  if (options_.pissa) double_rank(terms_->modules(), adapter);
  fs::create_directories(directory);
  if (!gguf_architecture_.empty() && !options_.dora && !has_head)
    write_gguf_adapter(directory / "adapter.gguf", gguf_architecture_, adapter.settings, adapter.tensors);
  reorder_rows(terms_->modules(), adapter);
  write_peft_files(directory, base_name, adapter.settings, adapter.tensors);
}

std::vector<TensorView> TrainedAdapter::merged(const ModelFile& file, ParameterStore& store) const {
  return terms_->merged(file, [&](const std::string& name, const std::vector<int64_t>& shape) {
    const Parameter& sums = store.add(name, shape);
    return FloatTensor{sums.values, sums.gradient};
  });
}

}  // namespace r1
