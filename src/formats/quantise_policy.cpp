#include "formats/quantise_policy.h"

#include <fmt/format.h>
#include <strings.h>

#include <array>
#include <charconv>

#include "base/error.h"

namespace r1 {
namespace {

using Target = QuantisationTarget;

constexpr std::array<QuantisationTargetInfo, 17> kTargets = {{
    {Target::f32, "F32", DType::f32, 0},
    {Target::f16, "F16", DType::f16, 1},
    {Target::bf16, "BF16", DType::bf16, 32},
    {Target::q8_0, "Q8_0", DType::q8_0, 7},
    {Target::q4_0, "Q4_0", DType::q4_0, 2},
    {Target::q4_1, "Q4_1", DType::q4_1, 3},
    {Target::q5_0, "Q5_0", DType::q5_0, 8},
    {Target::q5_1, "Q5_1", DType::q5_1, 9},
    {Target::q2_k, "Q2_K", DType::q2_k, 10},
    {Target::q3_k_s, "Q3_K_S", DType::q3_k, 11},
    {Target::q3_k_m, "Q3_K_M", DType::q3_k, 12},
    {Target::q3_k_l, "Q3_K_L", DType::q3_k, 13},
    {Target::q4_k_s, "Q4_K_S", DType::q4_k, 14},
    {Target::q4_k_m, "Q4_K_M", DType::q4_k, 15},
    {Target::q5_k_s, "Q5_K_S", DType::q5_k, 16},
    {Target::q5_k_m, "Q5_K_M", DType::q5_k, 17},
    {Target::q6_k, "Q6_K", DType::q6_k, 18},
}};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Matrices are quantised; norms, biases and the router (small, and everything depends on it) are not.
bool is_kept(std::string_view name, std::span<const int64_t> shape) {
  return shape.size() < 2 || !name.ends_with("weight") || contains(name, "_norm.weight") ||
         contains(name, "ffn_gate_inp.weight");
}

/// N of "blk.N.…".
int layer_of(std::string_view name, const QuantisedModelShape& model) {
  int layer = -1;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  if (layer < 0 || layer >= model.layers) {
    throw_error(ErrorKind::bad_file, "tensor '{}': expected a layer number below {}", name, model.layers);
  }
  return layer;
}

/// The first and last eighth of the layers, and every third between.
bool use_more_bits(int layer, int layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

int query_groups(const QuantisedModelShape& model) {
  return model.key_value_heads > 0 ? model.heads / model.key_value_heads : 1;
}

DType attention_value_type(int layer, const QuantisedModelShape& model, Target target, DType base) {
  DType chosen = base;
  switch (target) {
    case Target::q2_k:
      chosen = query_groups(model) >= 4 ? DType::q4_k : DType::q3_k;
      break;
    case Target::q3_k_m:
      chosen = layer < 2 ? DType::q5_k : DType::q4_k;
      break;
    case Target::q3_k_l:
      chosen = DType::q5_k;
      break;
    case Target::q4_k_s:
      chosen = layer < 4 ? DType::q5_k : base;
      break;
    case Target::q4_k_m:
    case Target::q5_k_m:
      chosen = use_more_bits(layer, model.layers) ? DType::q6_k : base;
      break;
    default:
      break;
  }
  // The 70B model shares each value head among eight query heads: its value matrix is small, and more bits
  // are cheap. Known, as usual, by its 80 layers.
  const bool is_70b = model.architecture != "deepseek2" && model.layers == 80 && query_groups(model) > 1;
  if (is_70b && (chosen == DType::q3_k || chosen == DType::q4_k)) chosen = DType::q5_k;
  return chosen;
}

DType ffn_down_type(int layer, const QuantisedModelShape& model, Target target, DType base) {
  switch (target) {
    case Target::q2_k:
      return DType::q3_k;
    case Target::q3_k_m:
      return layer < model.layers / 16 ? DType::q5_k : DType::q4_k;
    case Target::q3_k_l:
      return DType::q5_k;
    case Target::q4_k_s:
      return layer < model.layers / 8 ? DType::q5_k : base;
    case Target::q4_k_m:
    case Target::q5_k_m:
      return use_more_bits(layer, model.layers) ? DType::q6_k : base;
    default:
      return base;
  }
}

DType attention_output_type(Target target, DType base) {
  switch (target) {
    case Target::q2_k:
      return DType::q3_k;
    case Target::q3_k_m:
      return DType::q4_k;
    case Target::q3_k_l:
      return DType::q5_k;
    default:
      return base;
  }
}

/// The type of the same or a little more quality whose blocks have 32 weights.
DType short_block_type(DType wanted) {
  switch (wanted) {
    case DType::q2_k:
    case DType::q3_k:
      return DType::q4_0;
    case DType::q4_k:
      return DType::q5_0;
    case DType::q5_k:
      return DType::q5_1;
    default:
      return DType::q8_0;
  }
}

TypeChoice fitting(DType wanted, std::string reason, int64_t columns) {
  if (columns % info(wanted).block_elements == 0) return {wanted, std::move(reason)};
  DType chosen = columns % 32 == 0 ? short_block_type(wanted) : DType::f16;
  return {chosen,
          fmt::format("{} instead of {}: rows of {} are no multiple of {}", name(chosen), name(wanted),
                      columns, info(wanted).block_elements),
          false, true};
}

}  // namespace

std::span<const QuantisationTargetInfo> quantisation_targets() {
  return kTargets;
}

const QuantisationTargetInfo& info(QuantisationTarget target) {
  return kTargets[static_cast<size_t>(target)];
}

std::optional<QuantisationTarget> quantisation_target_from_name(std::string_view name) {
  for (const QuantisationTargetInfo& target : kTargets) {
    if (equal_ignoring_case(target.name, name)) return target.target;
  }
  if (equal_ignoring_case(name, "Q3_K")) return Target::q3_k_m;
  if (equal_ignoring_case(name, "Q4_K")) return Target::q4_k_m;
  if (equal_ignoring_case(name, "Q5_K")) return Target::q5_k_m;
  return std::nullopt;
}

TypeChoice choose_type(std::string_view name, std::span<const int64_t> shape,
                       const QuantisedModelShape& model, QuantisationTarget target) {
  if (is_kept(name, shape)) return {DType::f32, "kept", true, false};
  const DType base = info(target).base;
  const int64_t columns = shape.back();
  if (!is_quantised(base)) return {base, "target"};

  if (name == "output.weight" || (model.tied_embeddings && name == "token_embd.weight")) {
    return fitting(base == DType::q8_0 ? base : DType::q6_k, "output matrix", columns);
  }
  DType wanted = base;
  if (contains(name, "attn_v.weight") || contains(name, "attn_qkv.weight") ||
      contains(name, "attn_kv_b.weight")) {
    wanted = attention_value_type(layer_of(name, model), model, target, base);
  } else if (contains(name, "ffn_down")) {
    wanted = ffn_down_type(layer_of(name, model), model, target, base);
  } else if (contains(name, "attn_output.weight")) {
    wanted = attention_output_type(target, base);
  }
  return fitting(wanted, wanted == base ? "target" : "more bits", columns);
}

}  // namespace r1
