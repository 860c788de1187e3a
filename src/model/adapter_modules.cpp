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

}  // namespace

std::string adapter_module_of(const ModelFile& file, const TensorView& tensor) {
  constexpr std::string_view kWeight = ".weight";
  if (tensor.shape.size() != 2 || !tensor.name.ends_with(kWeight)) return "";
  std::string name = tensor.name.substr(0, tensor.name.size() - kWeight.size());
  if (file.gguf() != nullptr) {
    if (!name.starts_with("blk.")) return "";
    const size_t dot = name.find('.', 4);
    if (dot == std::string::npos) return "";
    const auto found = gguf_modules().find(name.substr(dot + 1));
    if (found == gguf_modules().end()) return "";
    return "model.layers." + name.substr(4, dot - 4) + "." + found->second;
  }
  for (const auto& [gguf, hub] : gguf_modules()) {
    if (name.starts_with("model.layers.") && name.ends_with("." + hub)) return name;
  }
  return "";
}

std::string last_part(const std::string& module) {
  return module.substr(module.rfind('.') + 1);
}

}  // namespace r1
