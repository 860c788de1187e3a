#include "model/gguf_adapter.h"

#include <cmath>
#include <memory>
#include <vector>

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "model/adapter_modules.h"
#include "tensor/codec.h"

namespace r1 {
namespace {

// GGUF's name of MODULE.lora_A.weight or MODULE.lora_B.weight.
std::string gguf_name(const std::filesystem::path& path, const std::string& name) {
  for (const auto& [hub, gguf] : {std::pair<std::string_view, const char*>{".lora_A.weight", ".lora_a"},
                                  {".lora_B.weight", ".lora_b"}}) {
    if (!name.ends_with(hub)) continue;
    const std::string base = gguf_tensor_of(name.substr(0, name.size() - hub.size()));
    if (!base.empty()) return base + gguf;
  }
  throw_error(ErrorKind::unsupported, "{}: '{}' has no place in a GGUF adapter", path.string(), name);
}

DType merged_type(const TensorView& stored, std::optional<DType> wanted) {
  if (wanted) return *wanted;
  for (const DType same : {DType::f32, DType::f16, DType::bf16, DType::q8_0}) {
    if (stored.dtype == same) return same;
  }
  return DType::q8_0;
}

}  // namespace

void write_gguf_adapter(const std::filesystem::path& path, const std::string& architecture,
                        const AdapterSettings& settings, std::span<const AdapterTensor> tensors) {
  if (settings.dora) throw_error(ErrorKind::unsupported, "{}: GGUF adapters have no DoRA", path.string());
  GgufWriter writer(path);
  writer.set_string("general.architecture", architecture);
  writer.set_string("general.type", "adapter");
  writer.set_string("adapter.type", "lora");
  // The reader divides by the rank; rsLoRA by its root.
  writer.set_f32("adapter.lora.alpha",
                 static_cast<float>(settings.scale() * static_cast<double>(settings.rank)));
  for (const AdapterTensor& tensor : tensors)
    writer.declare_tensor(gguf_name(path, tensor.name), DType::f32, tensor.shape);
  for (const AdapterTensor& tensor : tensors) writer.append(std::as_bytes(tensor.values));
  writer.finish();
}

int64_t write_merged_gguf(const std::filesystem::path& path, const GgufFile& base, const ModelFile& file,
                          const LowRankAdapter& adapter, std::optional<DType> type) {
  std::vector<AlignedBytes> memory;
  const std::vector<TensorView> tensors =
      adapter.merged(file, [&](const std::string&, const std::vector<int64_t>& shape) {
        memory.push_back(allocate_aligned(static_cast<size_t>(shape[0] * shape[1]) * sizeof(float)));
        return FloatTensor{reinterpret_cast<float*>(memory.back().get()), nullptr};
      });
  GgufWriter writer(path);
  for (const std::string_view key : base.keys()) {
    if (!key.starts_with("split.")) writer.copy(key, *base.find_value(key));  // one file is written
  }
  const auto stored_of = [&](const TensorView& tensor) -> const TensorView* {
    const TensorView* stored = base.find(tensor.name);
    return stored != nullptr && stored->data == tensor.data ? stored : nullptr;  // null: a sum
  };
  std::vector<DType> types;
  for (const TensorView& tensor : tensors) {
    const TensorView* base_tensor = base.find(tensor.name);
    if (base_tensor == nullptr)
      throw_error(ErrorKind::unsupported, "{}: '{}' has no place in a GGUF model", path.string(),
                  tensor.name);
    types.push_back(stored_of(tensor) != nullptr ? tensor.dtype : merged_type(*base_tensor, type));
    writer.declare_tensor(tensor.name, types.back(), tensor.shape);
  }
  int64_t changed = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& tensor = tensors[i];
    if (stored_of(tensor) != nullptr) {
      writer.append({tensor.data, tensor.bytes});
      continue;
    }
    ++changed;
    const auto columns = static_cast<size_t>(tensor.columns());
    const auto* values = reinterpret_cast<const float*>(tensor.data);
    std::vector<std::byte> row(row_bytes(types[i], tensor.columns()));
    for (int64_t r = 0; r < tensor.rows(); ++r) {
      quantise_row(types[i], {values + static_cast<size_t>(r) * columns, columns}, row.data());
      writer.append(row);
    }
  }
  writer.finish();
  return changed;
}

}  // namespace r1
