#include "tensor/dtype.h"

#include <strings.h>
#include <array>

#include "base/error.h"

namespace r1 {
namespace {

constexpr std::array<DTypeInfo, kDTypeCount> kInfo = {{
    {DType::f32, "F32", 1, 4, 0},
    {DType::f16, "F16", 1, 2, 1},
    {DType::bf16, "BF16", 1, 2, 30},
    {DType::f64, "F64", 1, 8, 28},
    {DType::i8, "I8", 1, 1, 24},
    {DType::i16, "I16", 1, 2, 25},
    {DType::i32, "I32", 1, 4, 26},
    {DType::i64, "I64", 1, 8, 27},
    {DType::f8_e4m3, "F8_E4M3", 1, 1, -1},
    {DType::q4_0, "Q4_0", 32, 18, 2},
    {DType::q4_1, "Q4_1", 32, 20, 3},
    {DType::q5_0, "Q5_0", 32, 22, 6},
    {DType::q5_1, "Q5_1", 32, 24, 7},
    {DType::q8_0, "Q8_0", 32, 34, 8},
    {DType::q2_k, "Q2_K", 256, 84, 10},
    {DType::q3_k, "Q3_K", 256, 110, 11},
    {DType::q4_k, "Q4_K", 256, 144, 12},
    {DType::q5_k, "Q5_K", 256, 176, 13},
    {DType::q6_k, "Q6_K", 256, 210, 14},
    {DType::iq1_s, "IQ1_S", 256, 50, 19},
    {DType::iq1_m, "IQ1_M", 256, 56, 29},
    {DType::iq2_xxs, "IQ2_XXS", 256, 66, 16},
    {DType::iq2_xs, "IQ2_XS", 256, 74, 17},
    {DType::iq2_s, "IQ2_S", 256, 82, 22},
    {DType::iq3_xxs, "IQ3_XXS", 256, 98, 18},
    {DType::iq3_s, "IQ3_S", 256, 110, 21},
    {DType::iq4_nl, "IQ4_NL", 32, 18, 20},
    {DType::iq4_xs, "IQ4_XS", 256, 136, 23},
    {DType::tq1_0, "TQ1_0", 256, 54, 34},
    {DType::tq2_0, "TQ2_0", 256, 66, 35},
    {DType::nf4, "NF4", 64, 33, -1},
}};

}  // namespace

const DTypeInfo& info(DType dtype) {
  return kInfo[static_cast<size_t>(dtype)];
}

size_t row_bytes(DType dtype, int64_t columns) {
  const DTypeInfo& type = info(dtype);
  if (columns < 0 || columns % type.block_elements != 0) {
    throw_error(ErrorKind::bad_file, "a row of {} elements is no multiple of {}'s block of {}", columns,
                type.name, type.block_elements);
  }
  return static_cast<size_t>(columns / type.block_elements) * type.block_bytes;
}

std::optional<DType> dtype_from_ggml_id(uint32_t ggml_id) {
  for (const DTypeInfo& type : kInfo) {
    if (type.ggml_id >= 0 && static_cast<uint32_t>(type.ggml_id) == ggml_id) return type.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& type : kInfo) {
    if (type.name.size() == name.size() && strncasecmp(type.name.data(), name.data(), name.size()) == 0) {
      return type.dtype;
    }
  }
  return std::nullopt;
}

}  // namespace r1
