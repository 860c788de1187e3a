// The element types of stored tensors: plain floats, integers, and GGML's block-quantised formats.
// Source of names, ids and block sizes: the GGUF specification and ggml's type table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace r1 {

enum class DType : uint8_t {
  f32,
  f16,
  bf16,
  f64,
  i8,
  i16,
  i32,
  i64,
  f8_e4m3,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq4_nl,
  iq4_xs,
  tq1_0,
  tq2_0,
  nf4,  // a form in memory, not one of files (tensor/nf4.h)
};
inline constexpr int kDTypeCount = static_cast<int>(DType::nf4) + 1;

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as people write it: "Q4_K", "BF16"
  int block_elements;     // elements in one block; 1 for plain types
  int block_bytes;
  int ggml_id;  // type id in GGUF files; -1: not a GGUF type
};

const DTypeInfo& info(DType dtype);
inline std::string_view name(DType dtype) {
  return info(dtype).name;
}
/// Blocks of whole numbers with scales. NF4's are places in a table, with scales of their own.
inline bool is_quantised(DType dtype) {
  return info(dtype).block_elements > 1 && dtype != DType::nf4;
}

/// Bytes of a row of `columns` elements; columns must be a multiple of the block (throws Error otherwise).
size_t row_bytes(DType dtype, int64_t columns);

std::optional<DType> dtype_from_ggml_id(uint32_t ggml_id);
/// Case-insensitive ("q4_k", "Q4_K"); nothing for an unknown name.
std::optional<DType> dtype_from_name(std::string_view name);

}  // namespace r1
