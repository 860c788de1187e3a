#include "train/trained_adapter.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "model/adapter_modules.h"
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
    return parameter.values;
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

void TrainedAdapter::write(const fs::path& directory, const std::string& base_name) const {
  AdapterSettings settings = terms_->settings();
  settings.dropout = options_.dropout;
  settings.targets.clear();
  for (const Module& module : terms_->modules()) settings.targets.push_back(last_part(module.name));
  std::sort(settings.targets.begin(), settings.targets.end());
  settings.targets.erase(std::unique(settings.targets.begin(), settings.targets.end()),
                         settings.targets.end());
  std::vector<AdapterTensor> tensors;
  for (const Parameter& parameter : parameters_.all()) {
    tensors.push_back(
        {parameter.name, parameter.shape, {parameter.values, static_cast<size_t>(parameter.count)}});
  }
  if (!options_.pissa) {
    write_peft_files(directory, base_name, settings, tensors);
    return;
  }
  // An adapter of twice the rank: [A; A as it began], [B, -(B as it began)].
  const int64_t rank = settings.rank;
  settings.rank = 2 * rank;
  settings.alpha *= settings.rank_stabilised ? std::sqrt(2.0) : 2.0;
  std::vector<std::vector<float>> pairs;
  for (AdapterTensor& tensor : tensors) {
    const auto module = std::find_if(
        terms_->modules().begin(), terms_->modules().end(),
        [&](const Module& one) { return tensor.values.data() == one.a || tensor.values.data() == one.b; });
    if (module == terms_->modules().end()) continue;
    std::vector<float>& pair = pairs.emplace_back();
    if (tensor.values.data() == module->a) {
      pair.assign(module->a, module->a + rank * module->inputs);
      pair.insert(pair.end(), module->subtracted_a.begin(), module->subtracted_a.end());
      tensor.shape[0] = settings.rank;
    } else {
      for (int64_t o = 0; o < module->outputs; ++o) {
        pair.insert(pair.end(), module->b + o * rank, module->b + (o + 1) * rank);
        for (int64_t k = 0; k < rank; ++k) pair.push_back(-module->subtracted_b[o * rank + k]);
      }
      tensor.shape[1] = settings.rank;
    }
    tensor.values = pair;
  }
  write_peft_files(directory, base_name, settings, tensors);
}

std::vector<TensorView> TrainedAdapter::merged(const ModelFile& file, ParameterStore& store) const {
  return terms_->merged(file, [&](const std::string& name, const std::vector<int64_t>& shape) {
    return store.add(name, shape).values;
  });
}

}  // namespace r1
