#include "model/low_rank_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <tuple>

#include "base/error.h"
#include "kernels/training.h"
#include "model/adapter_modules.h"
#include "model/stored_adapter.h"
#include "model/weight_binder.h"
#include "nn/linear.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

void copy_values(const TensorView& from, float* to) {
  const size_t bytes = row_bytes(from.dtype, from.columns());
  for (int64_t row = 0; row < from.rows(); ++row) {
    dequantise_row(from.dtype, from.data + static_cast<size_t>(row) * bytes,
                   {to + row * from.columns(), static_cast<size_t>(from.columns())});
  }
}

// float32 values of row `row` of a stored matrix.
void decode_row(const TensorView& matrix, int64_t row, float* out) {
  const int64_t columns = matrix.columns();
  dequantise_matrix_row(matrix.dtype,
                        matrix.data + static_cast<size_t>(row) * row_bytes(matrix.dtype, columns),
                        matrix.block_scales, row, columns, 0, {out, static_cast<size_t>(columns)});
}

// What the files have for one module, checked against the base's shape.
struct ModuleTensors {
  const TensorView* a = nullptr;
  const TensorView* b = nullptr;
  const TensorView* magnitude = nullptr;
};

ModuleTensors find_tensors(const StoredAdapter& stored, const std::string& module, const TensorView& base) {
  const auto find = [&](const char* part) {
    const auto found = stored.tensors().find(module + part);
    return found == stored.tensors().end() ? nullptr : &found->second;
  };
  ModuleTensors found{find(".lora_A.weight"), find(".lora_B.weight"), nullptr};
  if (found.a == nullptr && found.b == nullptr) return {};
  const int64_t rank = stored.settings().rank;
  const std::vector<int64_t> a_shape{rank, base.shape[1]}, b_shape{base.shape[0], rank};
  for (const auto& [tensor, shape, part] :
       {std::tuple{found.a, a_shape, "lora_A"}, std::tuple{found.b, b_shape, "lora_B"}}) {
    if (tensor != nullptr && tensor->shape == shape) continue;
    throw_error(ErrorKind::bad_file, "{}: {}.{}.weight: expected {{{}}}, found {}", stored.name(), module,
                part, fmt::join(shape, ", "),
                tensor == nullptr ? "none" : fmt::format("{{{}}}", fmt::join(tensor->shape, ", ")));
  }
  if (!stored.settings().dora) return found;
  found.magnitude = find(".lora_magnitude_vector");
  if (found.magnitude == nullptr || found.magnitude->elements() != base.shape[0]) {
    throw_error(ErrorKind::bad_file, "{}: {}.lora_magnitude_vector: expected {} values, found {}",
                stored.name(), module, base.shape[0],
                found.magnitude == nullptr ? 0 : found.magnitude->elements());
  }
  return found;
}

// Copies rows of `columns` values from the hub's order to that of a GGUF file with interleaved heads.
void copy_rows(const TensorView& from, int64_t rows, int64_t heads, float* to) {
  const int64_t columns = from.elements() / rows;
  std::vector<float> values(static_cast<size_t>(from.elements()));
  copy_values(from, values.data());
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(values.data() + hub_row(row, rows, heads) * columns, columns, to + row * columns);
}

}  // namespace

void LowRankAdapter::add_module(const ModelFile& file, const TensorView& tensor, const std::string& name) {
  Module module;
  module.name = name;
  module.tensor = tensor.name;
  module.outputs = tensor.shape[0];
  module.inputs = tensor.shape[1];
  module.interleaved_heads = interleaved_heads(file, name);
  module.base = tensor;
  module.weight = weight_id(file, tensor.name);
  const auto take = [&](const char* part, const std::vector<int64_t>& shape, float*& values,
                        float*& gradient) {
    const FloatTensor memory = memory_(name + part, shape);
    values = memory.values;
    gradient = memory.gradient;
  };
  take(".lora_A.weight", {settings_.rank, module.inputs}, module.a, module.a_gradient);
  take(".lora_B.weight", {module.outputs, settings_.rank}, module.b, module.b_gradient);
  if (settings_.dora) {
    take(".lora_magnitude_vector", {module.outputs}, module.magnitude, module.magnitude_gradient);
    module.norms.resize(static_cast<size_t>(module.outputs));
  }
  modules_.push_back(std::move(module));
}

void LowRankAdapter::add_terms(size_t index) {
  const Module& module = modules_[index];
  LowRankTerm term{module.a, module.b, settings_.rank, static_cast<float>(settings_.scale())};
  term.number = index;
  term.a_gradient = module.a_gradient;
  term.b_gradient = module.b_gradient;
  if (settings_.dora) {
    term.magnitude = module.magnitude;
    term.norms = module.norms.data();
    term.magnitude_gradient = module.magnitude_gradient;
  }
  adapter_.add(module.weight, term);
}

void LowRankAdapter::subtract_present(Module& module) {
  module.subtracted_a.assign(module.a, module.a + settings_.rank * module.inputs);
  module.subtracted_b.assign(module.b, module.b + module.outputs * settings_.rank);
  LowRankTerm term{module.subtracted_a.data(), module.subtracted_b.data(), settings_.rank,
                   -static_cast<float>(settings_.scale())};
  term.number =
      static_cast<uint64_t>(&module - modules_.data());  // the same dropout: both cancel out at first
  adapter_.add(module.weight, term);
}

void LowRankAdapter::refresh(Context& context) {
  if (!settings_.dora) return;
  constexpr int64_t kRows = 128;  // expanded at once
  const auto scale = static_cast<float>(settings_.scale());
  for (Module& module : modules_) {
    Arena::Scope scope(context.arena());
    float* rows = context.arena().allocate<float>(kRows * module.inputs);
    float* scaled = context.arena().allocate<float>(kRows * settings_.rank);
    for (int64_t first = 0; first < module.outputs; first += kRows) {
      const int64_t count = std::min(kRows, module.outputs - first);
      context.parallel_for(
          count, true, [&](int64_t i, int) { decode_row(module.base, first + i, rows + i * module.inputs); });
      std::copy_n(module.b + first * settings_.rank, count * settings_.rank, scaled);
      context.kernels().training->scale(scaled, scale, count * settings_.rank);
      run_product(
          context,
          {scaled, settings_.rank, 1, module.a, module.inputs, 1, rows, module.inputs, settings_.rank, true},
          count, module.inputs);
      context.parallel_for(count, true, [&](int64_t i, int) {
        const float* row = rows + i * module.inputs;
        // A row of zeros has no direction; its output is zero whatever it is divided by.
        const float norm = std::sqrt(context.kernels().training->dot(row, row, module.inputs));
        module.norms[first + i] = norm > 0 ? norm : 1.0F;
      });
    }
  }
}

namespace {

FloatMemory memory_in(std::vector<AlignedBytes>& blocks) {
  return [&blocks](const std::string&, const std::vector<int64_t>& shape) {
    size_t bytes = sizeof(float);
    for (const int64_t side : shape) bytes *= static_cast<size_t>(side);
    blocks.push_back(allocate_aligned(bytes));
    std::memset(blocks.back().get(), 0, bytes);
    return FloatTensor{reinterpret_cast<float*>(blocks.back().get()), nullptr};
  };
}

}  // namespace

std::unique_ptr<LowRankAdapter> LowRankAdapter::create(const ModelFile& file, const AdapterSettings& settings,
                                                       FloatMemory memory) {
  if (settings.rank < 1 || !(settings.alpha > 0)) {
    throw_error(ErrorKind::invalid_argument,
                "LoRA: expected a rank of at least 1 and a positive alpha, found {} and {}", settings.rank,
                settings.alpha);
  }
  std::unique_ptr<LowRankAdapter> made(new LowRankAdapter);
  made->settings_ = settings;
  made->memory_ = memory ? std::move(memory) : memory_in(made->host_memory_);
  const std::vector<std::string>& targets = settings.targets;
  std::set<std::string> missing(targets.begin(), targets.end()), known;
  for (const TensorView& tensor : file.tensors()) {
    const std::string module = adapter_module_of(file, tensor);
    if (module.empty()) continue;
    const std::string last = last_part(module);
    known.insert(last);
    if (!targets.empty() && std::find(targets.begin(), targets.end(), last) == targets.end()) continue;
    missing.erase(last);
    made->add_module(file, tensor, module);
  }
  if (!missing.empty() || made->modules_.empty()) {
    throw_error(ErrorKind::invalid_argument, "LoRA: target '{}': the model has none; known: {}",
                missing.empty() ? "" : *missing.begin(), fmt::join(known, ", "));
  }
  for (size_t i = 0; i < made->modules_.size(); ++i) made->add_terms(i);
  return made;
}

std::unique_ptr<LowRankAdapter> LowRankAdapter::open(const fs::path& path, const ModelFile& file,
                                                     FloatMemory memory) {
  const StoredAdapter stored = StoredAdapter::open(path);
  std::unique_ptr<LowRankAdapter> read(new LowRankAdapter);
  read->settings_ = stored.settings();
  read->memory_ = memory ? std::move(memory) : memory_in(read->host_memory_);
  if (stored.has_gguf_rows() && file.gguf() == nullptr) {
    throw_error(ErrorKind::unsupported, "{}: an adapter in GGUF form goes with a GGUF model, found {}",
                stored.name(), file.path().string());
  }
  std::set<std::string> left, targets;
  for (const auto& [name, tensor] : stored.tensors()) left.insert(name);
  for (const TensorView& tensor : file.tensors()) {
    const std::string name = adapter_module_of(file, tensor);
    if (name.empty()) continue;
    const ModuleTensors found = find_tensors(stored, name, tensor);
    if (found.a == nullptr) continue;
    read->add_module(file, tensor, name);
    const Module& module = read->modules_.back();
    const int64_t heads = stored.has_gguf_rows() ? 0 : module.interleaved_heads;
    copy_values(*found.a, module.a);
    copy_rows(*found.b, module.outputs, heads, module.b);
    if (found.magnitude != nullptr) copy_rows(*found.magnitude, module.outputs, heads, module.magnitude);
    for (const char* part : {".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"}) {
      if (part != std::string_view(".lora_magnitude_vector") || read->settings_.dora) left.erase(name + part);
    }
    targets.insert(last_part(name));
  }
  if (const auto score = stored.tensors().find(kRewardHead); score != stored.tensors().end()) {
    const TensorView& head = score->second;
    if (head.shape.size() != 2 || head.shape[0] != 1) {
      throw_error(ErrorKind::unsupported, "{}: {}: expected one row (a reward), found shape {{{}}}",
                  stored.name(), head.name, fmt::join(head.shape, ", "));
    }
    float* values = read->memory_(kRewardHead, head.shape).values;
    copy_values(head, values);
    read->reward_head_ = values;
    read->reward_head_shape_ = head.shape;
    left.erase(kRewardHead);
  }
  if (!left.empty()) {
    throw_error(ErrorKind::unsupported,
                "{}: tensor '{}' adds to nothing that this model has or adapters are known for ({} such)",
                stored.name(), stored.tensors().at(*left.begin()).name, left.size());
  }
  if (read->modules_.empty()) throw_error(ErrorKind::bad_file, "{}: no tensors", stored.name());
  read->settings_.targets.assign(targets.begin(), targets.end());
  for (size_t i = 0; i < read->modules_.size(); ++i) read->add_terms(i);
  if (read->settings_.dora) {
    ThreadPool pool;
    Context context(pool, kernels::select_kernels(), Arithmetic::exact);
    read->refresh(context);
  }
  return read;
}

std::vector<TensorView> LowRankAdapter::merged(const ModelFile& file, const FloatMemory& memory) const {
  std::vector<TensorView> tensors(file.tensors().begin(), file.tensors().end());
  for (TensorView& tensor : tensors) {
    const auto module = std::find_if(modules_.begin(), modules_.end(),
                                     [&](const Module& one) { return one.tensor == tensor.name; });
    if (module == modules_.end()) continue;
    float* sums = memory(tensor.name, tensor.shape).values;
    std::vector<float> stored(static_cast<size_t>(module->inputs));
    std::vector<double> row(static_cast<size_t>(module->inputs));
    auto add_outer = [&](double sign, int64_t o, const float* a, const float* b) {
      for (int64_t k = 0; k < settings_.rank; ++k) {
        const double factor = sign * settings_.scale() * b[o * settings_.rank + k];
        for (int64_t i = 0; i < module->inputs; ++i) row[i] += factor * a[k * module->inputs + i];
      }
    };
    for (int64_t o = 0; o < module->outputs; ++o) {
      decode_row(tensor, o, stored.data());
      std::copy(stored.begin(), stored.end(), row.begin());
      add_outer(1, o, module->a, module->b);
      if (!module->subtracted_a.empty())
        add_outer(-1, o, module->subtracted_a.data(), module->subtracted_b.data());
      double factor = 1;
      if (settings_.dora) {
        double squares = 0;
        for (const double value : row) squares += value * value;
        factor = squares > 0 ? module->magnitude[o] / std::sqrt(squares) : 1;
      }
      float* out = sums + o * module->inputs;
      for (int64_t i = 0; i < module->inputs; ++i) out[i] = static_cast<float>(factor * row[i]);
    }
    tensor.dtype = DType::f32;
    tensor.data = reinterpret_cast<const std::byte*>(sums);
    tensor.bytes = static_cast<size_t>(module->outputs * module->inputs) * sizeof(float);
    tensor.block_scales = nullptr;
  }
  if (reward_head_ != nullptr) {
    std::erase_if(tensors, [](const TensorView& tensor) { return tensor.name == kRewardHead; });
    const auto bytes = static_cast<size_t>(reward_head_shape_[1]) * sizeof(float);
    tensors.push_back({kRewardHead, DType::f32, reward_head_shape_,
                       reinterpret_cast<const std::byte*>(reward_head_), bytes, nullptr});
  }
  return tensors;
}

}  // namespace r1
