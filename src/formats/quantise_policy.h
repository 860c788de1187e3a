// Which type each tensor of a model gets for a target like Q4_K_M: the usual mixtures, which spend more bits
// where an error hurts most (values, the second FFN matrix of the outer layers, the output matrix).
// Source of the rules: the names users know are llama.cpp's; so are the choices (docs/quantisation.md lists
// them), for the architectures that this program runs. Names are GGUF's (`blk.3.ffn_down.weight`).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace r1 {

enum class QuantisationTarget {
  f32,
  f16,
  bf16,
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k_s,
  q3_k_m,
  q3_k_l,
  q4_k_s,
  q4_k_m,
  q5_k_s,
  q5_k_m,
  q6_k,
};

struct QuantisationTargetInfo {
  QuantisationTarget target;
  std::string_view name;  // "Q4_K_M"
  DType base;             // the type of most weights
  uint32_t file_type;     // value of general.file_type in GGUF
};

std::span<const QuantisationTargetInfo> quantisation_targets();
const QuantisationTargetInfo& info(QuantisationTarget target);
/// Case-insensitive; "Q3_K", "Q4_K", "Q5_K" mean the _M mixtures. Nothing for an unknown name.
std::optional<QuantisationTarget> quantisation_target_from_name(std::string_view name);

/// What the rules need to know about a model.
struct QuantisedModelShape {
  std::string architecture;  // general.architecture
  int layers = 0;
  int heads = 0;
  int key_value_heads = 0;
  bool tied_embeddings = false;  // no output.weight: token_embd takes its place
};

struct TypeChoice {
  DType dtype;
  /// Why, for the plan that is shown: "target", "more bits", "output matrix", "kept", or, for a row length
  /// that the wanted type cannot hold, a text that says so.
  std::string reason;
  bool kept = false;      // not a matrix to quantise; stays a plain float
  bool fallback = false;  // the wanted type does not fit the row length
};

/// The type of one tensor; `shape` outermost first. Pure. Throws Error(bad_file) for a layer number beyond
/// model.layers.
TypeChoice choose_type(std::string_view tensor_name, std::span<const int64_t> shape,
                       const QuantisedModelShape& model, QuantisationTarget target);

}  // namespace r1
