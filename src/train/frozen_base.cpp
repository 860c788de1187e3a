#include "train/frozen_base.h"

#include "base/error.h"
#include "tensor/codec.h"
#include "tensor/nf4.h"

namespace r1 {
namespace {

bool is_linear_of_a_block(const TensorView& tensor) {
  if (tensor.shape.size() < 2) return false;
  const std::string_view name = tensor.name;
  if (name.starts_with("blk.")) {
    const size_t dot = name.find('.', 4);
    const std::string_view part = dot == std::string_view::npos ? "" : name.substr(dot + 1);
    return (part.starts_with("attn_") || part.starts_with("ffn_")) && part.ends_with(".weight") &&
           part != "ffn_gate_inp.weight";
  }
  return name.starts_with("model.layers.") &&
         (name.ends_with("_proj.weight") || name.ends_with("_proj_with_mqa.weight"));
}

void check(const ModelFile& base, const TensorView& tensor) {
  const bool gguf = base.gguf() != nullptr;
  if (gguf && tensor.shape.size() > 2) {
    throw_error(ErrorKind::unsupported,
                "{}: tensor '{}': base_type = nf4 takes experts from a hub directory only",
                base.path().string(), tensor.name);
  }
  if (gguf && is_quantised(tensor.dtype)) {
    throw_error(
        ErrorKind::unsupported,
        "{}: tensor '{}': base_type = nf4 takes F32, F16 or BF16, found {} (which is held as it is with "
        "base_type = stored)",
        base.path().string(), tensor.name, name(tensor.dtype));
  }
  if (tensor.columns() % kNf4Block != 0) {
    throw_error(ErrorKind::unsupported, "{}: tensor '{}': NF4 takes rows of a multiple of {}, found {}",
                base.path().string(), tensor.name, kNf4Block, tensor.columns());
  }
}

}  // namespace

Nf4Base::Nf4Base(const std::shared_ptr<const ModelFile>& base, ThreadPool& pool) {
  std::vector<TensorView> views;
  for (const TensorView& tensor : base->tensors()) {
    if (!is_linear_of_a_block(tensor) || tensor.dtype == DType::nf4) continue;
    check(*base, tensor);
    const int64_t scales = nf4_scale_count(tensor.rows(), tensor.columns());
    const size_t bytes = static_cast<size_t>(tensor.rows()) * row_bytes(DType::nf4, tensor.columns());
    const size_t begin = (bytes + sizeof(float) - 1) / sizeof(float) * sizeof(float);  // of the scales
    const size_t all = begin + static_cast<size_t>(scales) * sizeof(float);
    memory_.push_back(allocate_aligned(all));
    TensorView& view = views.emplace_back(tensor);
    view.dtype = DType::nf4;
    view.data = memory_.back().get();
    view.bytes = all;
    view.block_scales = reinterpret_cast<const float*>(memory_.back().get() + begin);
  }
  pool.parallel_for(static_cast<int64_t>(views.size()), [&](int64_t i, int) {
    const TensorView& to = views[i];
    const TensorView& from = *base->find(to.name);
    const size_t stored = row_bytes(from.dtype, from.columns());
    std::vector<float> largest(static_cast<size_t>(from.elements() / kNf4Block));
    quantise_nf4(
        from.rows(), from.columns(),
        [&](int64_t row, std::span<float> out) {
          dequantise_matrix_row(from.dtype, from.data + static_cast<size_t>(row) * stored, from.block_scales,
                                row, from.columns(), 0, out);
        },
        largest, memory_[i].get(), const_cast<float*>(to.block_scales));
    base->release(from);
  });
  file_ = ModelFile::with_tensors(base, std::move(views));
}

}  // namespace r1
