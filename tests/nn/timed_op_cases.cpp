// The ops in the shapes of DeepSeek-R1-Distill-Qwen-1.5B (28 layers; hidden 1536, feed-forward 8960, 12 query heads on 2
// key/value heads of 128 columns), one row as in decoding and 128 as in a prompt, and experts of DeepSeek-V2-Lite's
// width.
#include "tests/nn/op_cases.h"

namespace r1::op_cases {

std::vector<Case> timed_cases() {
  constexpr int64_t kHidden = 1536, kMiddle = 8960;
  std::vector<Case> cases;
  const auto add = [&](Case timed, const std::string& label) {
    timed.name = label;
    cases.push_back(std::move(timed));
  };
  for (const int64_t rows : {1, 128}) {
    const std::string of = "/" + std::to_string(rows);
    add(linear_case(rows, kHidden, kHidden), "linear/F32" + of);
    for (const DType dtype : {DType::bf16, DType::q8_0, DType::q4_k, DType::q6_k}) {
      add(stored_linear_case(dtype, rows, kHidden, kHidden), "linear/" + std::string(name(dtype)) + of);
    }
    add(norm_case(rows, kHidden, true), "add_rms_norm" + of);
    add(swiglu_case(rows, kMiddle), "swiglu" + of);
    add(rotation_case(RopeStyle::half_split, rows, 14, 128), "rotate" + of);
    add(addition_case(rows * kHidden), "add" + of);
    add(experts_case(
            {.rows = rows, .experts = 16, .chosen = 4, .hidden = 2048, .width = 352, .with_shared = true}),
        "experts" + of);
    for (const DType cache : {DType::f32, DType::f16, DType::q8_0}) {
      add(attention_case({.heads = 12,
                          .key_value_heads = 2,
                          .key_columns = 128,
                          .value_columns = 128,
                          .cache = cache,
                          .sequences = {{rows, 1024}}}),
          "store_and_attention/" + std::string(name(cache)) + of);
    }
  }
  return cases;
}

}  // namespace r1::op_cases
