// Weights that bitsandbytes quantised to four bits, as hubs hold them.
// Source: the documentation and serialisation of bitsandbytes' 4-bit linear layers (QuantState) and of
// transformers' BitsAndBytesConfig. Beside the weight's bytes NAME, {elements / 2, 1} U8, the first of two
// elements in the high bits, row after row, lie
//   NAME.quant_map                              F32 {16}: the values of the codes
//   NAME.absmax                                 F32, or U8 codes: the largest magnitude of each block
//   NAME.nested_absmax, NAME.nested_quant_map   F32, with U8 codes:
//                                               absmax = map[code] · nested_absmax[block] + nested_offset
//   NAME.quant_state.bitsandbytes__nf4 (_fp4)   U8: JSON with quant_type, blocksize, dtype, shape and, with
//                                               codes, nested_blocksize, nested_dtype, nested_offset
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "formats/safetensors.h"

namespace r1 {

/// True when config.json says quant_method = bitsandbytes with four bits. Error(unsupported) for its eight
/// bits, which are not read.
bool is_bitsandbytes(const std::string& name, const nlohmann::json& quantisation_config);

/// Puts plain tensors in the place of quantised ones and their parts. NF4 with double quantisation in blocks
/// of 64 becomes DType::nf4 in memory, the same values to the last bit or so; other forms are decoded to the
/// tensor's original type. Error(bad_file) for parts that are missing or do not fit.
void unpack_bitsandbytes(const std::string& name, SafetensorsFile& weights);

}  // namespace r1
