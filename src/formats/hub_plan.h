// How a hub model of a known architecture is laid out in a GGUF file: the metadata keys that follow from
// config.json, and for each GGUF tensor its shape and the hub tensors that it is made from. Names, keys and
// layouts are those of llama.cpp's converter (its conversion/ folder and gguf-py's constants), so that its
// family of programs reads the result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "formats/model_config.h"

namespace r1 {

/// One tensor of the GGUF file.
struct TensorPlan {
  enum class Source {
    same,            // the hub tensor as it is
    permute_rotary,  // rows of each head from half-split to interleaved pairs (Llama's q and k, and biases)
    stack_experts,   // hub tensors `hub_name` with {} = 0 … experts-1, one after the other
    key_b,           // kv_b_proj's key part of each head, transposed: {heads, kv_lora_rank, qk_nope_head_dim}
    value_b,         // kv_b_proj's value part of each head: {heads, v_head_dim, kv_lora_rank}
    rotary_factors,  // computed: Llama 3's factors on the rotary wavelengths
  };
  std::string name;            // in the GGUF file
  std::vector<int64_t> shape;  // there, outermost first
  Source source = Source::same;
  std::string hub_name;            // empty: rotary_factors
  bool always_f32 = false;         // norms, biases, the expert router
  int64_t heads = 0;               // permute_rotary, key_b, value_b
  int64_t nope_size = 0;           // key_b, value_b: qk_nope_head_dim
  int64_t value_size = 0;          // key_b, value_b: v_head_dim
  std::vector<float> values = {};  // rotary_factors
};

/// The tensors of the GGUF file, in the order to write. `name` is used in messages (the directory). `config`:
/// a hub model's settings. Error(unsupported) for what GGUF has no place for.
std::vector<TensorPlan> plan_hub_model(const ModelConfig& config, const std::string& name);

/// general.architecture and all keys of the architecture (not of the tokenizer, the name or the file type).
void write_model_metadata(GgufWriter& writer, const ModelConfig& config);

}  // namespace r1
