#include "tensor/codec.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/codec_blocks.h"
#include "tensor/float_formats.h"
#include "tensor/integer_blocks.h"
#include "tensor/nf4.h"

namespace r1 {
namespace {

struct IntegerCodec {
  IntegerForm form;
  IntegerDecoder decoder;
};

IntegerCodec integer_codec(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return {{32, false, 8}, codec::decode_q4_0};
    case DType::q4_1:
      return {{32, true, 15}, codec::decode_q4_1};
    case DType::q5_0:
      return {{32, false, 16}, codec::decode_q5_0};
    case DType::q5_1:
      return {{32, true, 31}, codec::decode_q5_1};
    case DType::q8_0:
      return {{32, false, 128}, codec::decode_q8_0};
    case DType::q2_k:
      return {{16, true, 3}, codec::decode_q2_k};
    case DType::q3_k:
      return {{16, false, 4}, codec::decode_q3_k};
    case DType::q4_k:
      return {{32, true, 15}, codec::decode_q4_k};
    case DType::q5_k:
      return {{32, true, 31}, codec::decode_q5_k};
    case DType::q6_k:
      return {{16, false, 32}, codec::decode_q6_k};
    case DType::iq1_s:
      return {{32, false, 9}, codec::decode_iq1_s};
    case DType::iq1_m:
      return {{16, false, 9}, codec::decode_iq1_m};
    case DType::iq2_xxs:
      return {{32, false, 43}, codec::decode_iq2_xxs};
    case DType::iq2_xs:
      return {{16, false, 43}, codec::decode_iq2_xs};
    case DType::iq2_s:
      return {{16, false, 43}, codec::decode_iq2_s};
    case DType::iq3_xxs:
      return {{32, false, 62}, codec::decode_iq3_xxs};
    case DType::iq3_s:
      return {{32, false, 15}, codec::decode_iq3_s};
    case DType::iq4_nl:
      return {{32, false, 127}, codec::decode_iq4_nl};
    case DType::iq4_xs:
      return {{32, false, 127}, codec::decode_iq4_xs};
    case DType::tq1_0:
      return {{256, false, 1}, codec::decode_tq1_0};
    case DType::tq2_0:
      return {{256, false, 2}, codec::decode_tq2_0};
    default:
      throw_error(ErrorKind::unsupported, "{} is no block-quantised type", name(dtype));
  }
}

template <typename Stored, typename Convert>
void convert_each(const std::byte* source, std::span<float> values, Convert convert) {
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, source + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
}

void dequantise_blocks(DType dtype, const std::byte* source, std::span<float> values) {
  const DTypeInfo& type = info(dtype);
  const IntegerDecoder decode = integer_decoder(dtype);
  int8_t q[256];
  float scales[16];
  float minimums[16];
  for (size_t start = 0; start < values.size(); start += type.block_elements) {
    decode(source, q, scales, minimums);
    for (int group = 0; group < type.block_elements / 16; ++group) {
      float* target = values.data() + start + 16 * group;
      for (int j = 0; j < 16; ++j) {
        target[j] = scales[group] * static_cast<float>(q[16 * group + j]) - minimums[group];
      }
    }
    source += type.block_bytes;
  }
}

}  // namespace

IntegerForm integer_form(DType dtype) {
  return integer_codec(dtype).form;
}

IntegerDecoder integer_decoder(DType dtype) {
  return integer_codec(dtype).decoder;
}

void dequantise_row(DType dtype, const std::byte* source, std::span<float> values) {
  row_bytes(dtype, static_cast<int64_t>(values.size()));  // refuses a part of a block
  switch (dtype) {
    case DType::f32:
      std::memcpy(values.data(), source, values.size_bytes());
      return;
    case DType::f16:
      convert_each<uint16_t>(source, values, f32_from_f16);
      return;
    case DType::bf16:
      convert_each<uint16_t>(source, values, f32_from_bf16);
      return;
    case DType::f64:
      convert_each<double>(source, values, [](double value) { return static_cast<float>(value); });
      return;
    case DType::f8_e4m3:
      convert_each<uint8_t>(source, values, f32_from_f8_e4m3);
      return;
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64:
      throw_error(ErrorKind::unsupported, "{} holds whole numbers, expected a float or quantised type",
                  name(dtype));
    case DType::nf4:
      throw_error(ErrorKind::unsupported,
                  "NF4: a row alone cannot be decoded: its scales lie beside the matrix");
    default:
      dequantise_blocks(dtype, source, values);
  }
}

void dequantise_matrix_row(DType dtype, const std::byte* source, const float* scales, int64_t row,
                           int64_t columns, int64_t begin, std::span<float> values) {
  const DTypeInfo& type = info(dtype);
  const std::byte* from = source + begin / type.block_elements * type.block_bytes;
  if (dtype == DType::nf4) {
    dequantise_nf4(from, row * (columns / kNf4Block) + begin / kNf4Block, scales, values);
    return;
  }
  dequantise_row(dtype, from, values);
  if (scales == nullptr) return;
  const float* row_scales = scales + row / 128 * ((columns + 127) / 128);
  for (size_t c = 0; c < values.size(); ++c) values[c] *= row_scales[(static_cast<size_t>(begin) + c) / 128];
}

}  // namespace r1
