#include "formats/bitsandbytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "formats/json_file.h"
#include "tensor/codec.h"
#include "tensor/dynamic_code.h"
#include "tensor/nf4.h"

namespace r1 {
namespace {

constexpr int64_t kMaxBlock = 1 << 20;
constexpr std::string_view kState = ".quant_state.bitsandbytes__";

/// What a tensor's state says, checked against its parts.
struct QuantisedTensor {
  const TensorView* weight = nullptr;
  std::vector<int64_t> shape;
  DType dtype = DType::bf16;  // before it was quantised
  int64_t block = 0, nested_block = 0;
  float offset = 0;
  const float* map = nullptr;         // [16]
  const std::byte* absmax = nullptr;  // [blocks]: codes (nested_block > 0) or floats
  const float* nested_absmax = nullptr;
  const float* nested_map = nullptr;  // [256]

  int64_t elements() const { return shape[0] * shape[1]; }
  int64_t blocks() const { return (elements() + block - 1) / block; }
  float largest(int64_t index) const {
    if (nested_block == 0) {
      float value = 0;
      std::memcpy(&value, absmax + static_cast<size_t>(index) * sizeof(float), sizeof(float));
      return value;
    }
    return nested_map[std::to_integer<uint8_t>(absmax[index])] * nested_absmax[index / nested_block] + offset;
  }
};

class Reader {
 public:
  Reader(const std::string& name, const SafetensorsFile& weights) : name_(name), weights_(weights) {}

  QuantisedTensor read(const std::string& tensor, const TensorView& state) const {
    QuantisedTensor quantised;
    quantised.weight = weights_.find(tensor);
    if (quantised.weight == nullptr)
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': its weight '{}' is missing", name_, state.name,
                  tensor);
    const std::string where = fmt::format("{}: tensor '{}'", name_, state.name);
    const nlohmann::json text = parse_json({reinterpret_cast<const char*>(state.data), state.bytes}, where);
    try {
      const auto type = text.at("quant_type").get<std::string>();
      if (type != "nf4" && type != "fp4")
        throw_error(ErrorKind::unsupported, "{}: quant_type: expected nf4 or fp4, found '{}'", where, type);
      quantised.shape = text.at("shape").get<std::vector<int64_t>>();
      quantised.block = text.at("blocksize").get<int64_t>();
      const auto stored = text.at("dtype").get<std::string>();
      if (stored != "bfloat16" && stored != "float16" && stored != "float32") {
        throw_error(ErrorKind::unsupported, "{}: dtype: expected bfloat16, float16 or float32, found '{}'",
                    where, stored);
      }
      quantised.dtype = stored == "bfloat16" ? DType::bf16 : stored == "float16" ? DType::f16 : DType::f32;
      if (text.contains("nested_blocksize")) {
        quantised.nested_block = text.at("nested_blocksize").get<int64_t>();
        quantised.offset = text.at("nested_offset").get<float>();
        if (quantised.nested_block < 1 || quantised.nested_block > kMaxBlock)
          throw_error(ErrorKind::bad_file, "{}: nested_blocksize: expected 1 to {}, found {}", where,
                      kMaxBlock, quantised.nested_block);
      }
    } catch (const nlohmann::json::exception& error) {
      throw_error(ErrorKind::bad_file, "{}: {}", where, error.what());
    }
    // No product of sides that are not bounded by the file first.
    const auto bytes = static_cast<int64_t>(quantised.weight->bytes);
    if (quantised.shape.size() != 2 || quantised.shape[0] < 1 || quantised.shape[1] < 1 ||
        quantised.shape[1] > 2 * bytes || quantised.shape[0] > 2 * bytes / quantised.shape[1] ||
        (quantised.elements() + 1) / 2 != bytes) {
      throw_error(ErrorKind::bad_file, "{}: shape: expected two sides of {} elements, found [{}]", where,
                  2 * bytes, fmt::join(quantised.shape, ", "));
    }
    if (quantised.block < 1 || quantised.block > kMaxBlock || quantised.block % 2 != 0)
      throw_error(ErrorKind::bad_file, "{}: blocksize: expected an even number up to {}, found {}", where,
                  kMaxBlock, quantised.block);
    quantised.map = floats(tensor + ".quant_map", 16);
    if (quantised.nested_block == 0) {
      quantised.absmax = reinterpret_cast<const std::byte*>(floats(tensor + ".absmax", quantised.blocks()));
    } else {
      quantised.absmax = part(tensor + ".absmax", DType::i8, quantised.blocks()).data;
      quantised.nested_absmax =
          floats(tensor + ".nested_absmax",
                 (quantised.blocks() + quantised.nested_block - 1) / quantised.nested_block);
      quantised.nested_map = floats(tensor + ".nested_quant_map", 256);
    }
    return quantised;
  }

 private:
  const TensorView& part(const std::string& part_name, DType dtype, int64_t count) const {
    const TensorView* found = weights_.find(part_name);
    if (found == nullptr || found->dtype != dtype || found->elements() != count) {
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': expected {} elements of {}, found {}", name_,
                  part_name, count, dtype == DType::i8 ? "U8" : info(dtype).name,
                  found == nullptr
                      ? "no such tensor"
                      : fmt::format("{} of {}", found->elements(),
                                    found->dtype == DType::i8 ? "U8 or I8" : info(found->dtype).name));
    }
    return *found;
  }
  const float* floats(const std::string& part_name, int64_t count) const {
    return reinterpret_cast<const float*>(part(part_name, DType::f32, count).data);
  }

  const std::string& name_;
  const SafetensorsFile& weights_;
};

bool same(const float* found, std::span<const float> expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!(std::fabs(found[i] - expected[i]) <= 1e-6F * std::fabs(expected[i]))) return false;
  }
  return true;
}

// Whether tensor/nf4.h holds the same values.
bool is_nf4(const QuantisedTensor& quantised) {
  if (quantised.block != kNf4Block || quantised.nested_block != kNf4SuperBlock ||
      quantised.shape[1] % kNf4Block != 0)
    return false;
  std::array<float, 256> codes{};
  for (size_t code = 0; code < codes.size(); ++code)
    codes[code] = DynamicCode::of_signed().value(static_cast<uint8_t>(code));
  return same(quantised.map, nf4_values()) && same(quantised.nested_map, codes);
}

std::unique_ptr<std::byte[]> pack(const QuantisedTensor& quantised, TensorView& view) {
  const int64_t blocks = quantised.blocks();
  const auto scales = static_cast<size_t>(nf4_scale_count(quantised.shape[0], quantised.shape[1]));
  const size_t bytes = static_cast<size_t>(blocks * kNf4BlockBytes);
  const size_t begin = (bytes + sizeof(float) - 1) / sizeof(float) * sizeof(float);
  std::unique_ptr<std::byte[]> memory(new std::byte[begin + scales * sizeof(float)]);
  for (int64_t b = 0; b < blocks; ++b) {
    std::byte* to = memory.get() + b * kNf4BlockBytes;
    to[0] = quantised.absmax[b];
    std::memcpy(to + 1, quantised.weight->data + b * kNf4Block / 2, kNf4Block / 2);
  }
  auto* factors = reinterpret_cast<float*>(memory.get() + begin);
  factors[0] = quantised.offset;
  std::copy_n(quantised.nested_absmax, scales - 1, factors + 1);
  view.dtype = DType::nf4;
  view.bytes = begin + scales * sizeof(float);
  view.block_scales = factors;
  return memory;
}

std::unique_ptr<std::byte[]> decode(const QuantisedTensor& quantised, TensorView& view) {
  const int64_t columns = quantised.shape[1];
  const size_t stored = row_bytes(quantised.dtype, columns);
  view.dtype = quantised.dtype;
  view.bytes = static_cast<size_t>(quantised.shape[0]) * stored;
  std::unique_ptr<std::byte[]> memory(new std::byte[view.bytes]);
  std::vector<float> values(static_cast<size_t>(columns));
  for (int64_t row = 0; row < quantised.shape[0]; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t at = row * columns + column;
      const auto pair = std::to_integer<unsigned>(quantised.weight->data[at / 2]);
      values[static_cast<size_t>(column)] =
          quantised.map[at % 2 == 0 ? pair >> 4 : pair & 15] * quantised.largest(at / quantised.block);
    }
    quantise_row(quantised.dtype, values, memory.get() + static_cast<size_t>(row) * stored);
  }
  return memory;
}

}  // namespace

bool is_bitsandbytes(const std::string& name, const nlohmann::json& quantisation_config) {
  if (quantisation_config.value("quant_method", nlohmann::json()) != "bitsandbytes") return false;
  if (quantisation_config.value("load_in_4bit", nlohmann::json()) != true) {
    throw_error(ErrorKind::unsupported,
                "{}: quantization_config: bitsandbytes is read with load_in_4bit = true, found {}: take the "
                "unquantised model, and base_type = nf4 to train over four bits",
                name, short_json(quantisation_config.value("load_in_4bit", nlohmann::json())));
  }
  return true;
}

void unpack_bitsandbytes(const std::string& name, SafetensorsFile& weights) {
  const Reader reader(name, weights);
  std::unordered_map<std::string, const TensorView*> states;
  for (const TensorView& tensor : weights.tensors()) {
    const size_t at = tensor.name.rfind(kState);
    if (at != std::string::npos) states[tensor.name.substr(0, at)] = &tensor;
  }
  // "X" of "X.absmax" and the like, where X is quantised.
  auto is_part = [&](const std::string& candidate) {
    if (candidate.rfind(kState) != std::string::npos) return true;
    for (const std::string_view ending : {".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"}) {
      if (candidate.ends_with(ending) &&
          states.contains(candidate.substr(0, candidate.size() - ending.size())))
        return true;
    }
    return false;
  };
  std::vector<TensorView> tensors;
  std::vector<std::unique_ptr<std::byte[]>> memory;
  for (const TensorView& tensor : weights.tensors()) {
    if (is_part(tensor.name)) continue;
    TensorView& view = tensors.emplace_back(tensor);
    const auto state = states.find(tensor.name);
    if (state == states.end()) continue;
    const QuantisedTensor quantised = reader.read(tensor.name, *state->second);
    view.shape = quantised.shape;
    memory.push_back(is_nf4(quantised) ? pack(quantised, view) : decode(quantised, view));
    view.data = memory.back().get();
    weights.release(tensor);
  }
  for (const auto& [base, state] : states) {
    if (weights.find(base) == nullptr)
      throw_error(ErrorKind::bad_file, "{}: tensor '{}': its weight '{}' is missing", name, state->name,
                  base);
  }
  weights.replace(std::move(tensors), std::move(memory));
}

}  // namespace r1
