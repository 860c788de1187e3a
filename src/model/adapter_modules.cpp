#include "model/adapter_modules.h"

#include <map>
#include <string_view>

namespace r1 {
namespace {

// From GGUF's names to the last parts of the hub's.
const std::map<std::string, std::string>& gguf_modules() {
  static const std::map<std::string, std::string> kModules = {
      {"attn_q", "self_attn.q_proj"},
      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},
      {"attn_output", "self_attn.o_proj"},
      {"ffn_gate", "mlp.gate_proj"},
      {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
      // Latent attention; kv_b_proj is never run as a layer, and experts see rows of many sequences.
      {"attn_q_a", "self_attn.q_a_proj"},
      {"attn_q_b", "self_attn.q_b_proj"},
      {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
      {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
      {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
      {"ffn_down_shexp", "mlp.shared_experts.down_proj"}};
  return kModules;
}

constexpr std::string_view kWeight = ".weight", kLayers = "model.layers.";

}  // namespace

std::string hub_module_of_gguf(const std::string& tensor_name) {
  if (!tensor_name.starts_with("blk.") || !tensor_name.ends_with(kWeight)) return "";
  const size_t dot = tensor_name.find('.', 4), end = tensor_name.size() - kWeight.size();
  if (dot == std::string::npos || dot >= end) return "";
  const auto found = gguf_modules().find(tensor_name.substr(dot + 1, end - dot - 1));
  if (found == gguf_modules().end()) return "";
  return std::string(kLayers) + tensor_name.substr(4, dot - 4) + "." + found->second;
}

std::string gguf_tensor_of(const std::string& module) {
  if (!module.starts_with(kLayers)) return "";
  const size_t dot = module.find('.', kLayers.size());
  if (dot == std::string::npos) return "";
  for (const auto& [gguf, hub] : gguf_modules()) {
    if (hub != module.substr(dot + 1)) continue;
    return "blk." + module.substr(kLayers.size(), dot - kLayers.size()) + "." + gguf + std::string(kWeight);
  }
  return "";
}

int64_t interleaved_heads(const ModelFile& file, const std::string& module) {
  const GgufFile* gguf = file.gguf();
  if (gguf == nullptr || gguf->require_string("general.architecture") != "llama") return 0;
  const std::string last = last_part(module);
  if (last != "q_proj" && last != "k_proj") return 0;
  const uint32_t heads = gguf->require_u32("llama.attention.head_count");
  return last == "q_proj" ? heads : gguf->find_u32("llama.attention.head_count_kv").value_or(heads);
}

int64_t hub_row(int64_t row, int64_t rows, int64_t heads) {
  if (heads == 0) return row;
  // Within a head, row 2i + j of the GGUF file (pair i, half j) is row j · size/2 + i of the hub.
  const int64_t size = rows / heads, in_head = row % size;
  return row - in_head + in_head % 2 * (size / 2) + in_head / 2;
}

std::string adapter_module_of(const ModelFile& file, const TensorView& tensor) {
  if (tensor.shape.size() != 2 || !tensor.name.ends_with(kWeight)) return "";
  std::string name = tensor.name.substr(0, tensor.name.size() - kWeight.size());
  if (file.gguf() != nullptr) return hub_module_of_gguf(tensor.name);
  for (const auto& [gguf, hub] : gguf_modules()) {
    if (name.starts_with(kLayers) && name.ends_with("." + hub)) return name;
  }
  return "";
}

std::string last_part(const std::string& module) {
  return module.substr(module.rfind('.') + 1);
}

}  // namespace r1
