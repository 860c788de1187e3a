// `r1 convert`: a hub directory into one GGUF file that programs of the llama.cpp family read as well.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace r1 {

struct ConvertOptions {
  /// F32, F16, BF16 or Q8_0 for all matrices; nothing: as the source has them (FP8 becomes BF16). Norms,
  /// biases and the expert router are F32 always.
  std::optional<DType> type;
  int threads = 0;   // 0: one for each core
  std::string name;  // what the model is called; empty: as its folder
};

struct ConvertProgress {
  std::string_view tensor;
  uint64_t bytes_done;  // of the output's tensors
  uint64_t bytes;
};

/// Things the user should know, one line each: parts that were left out, a missing vocabulary.
struct ConvertReport {
  std::vector<std::string> notes;
  uint64_t tensors = 0;
  uint64_t bytes = 0;  // of tensor data
};

/// Architectures: LlamaForCausalLM, Qwen2ForCausalLM, DeepseekV3ForCausalLM; others throw Error(unsupported)
/// by name. A tensor that is missing, has another shape, or that the plan does not use throws
/// Error(bad_file): none is dropped silently. A value that the wanted type cannot hold throws
/// Error(unsupported). `progress` (may be empty) is called on the calling thread. The output appears only
/// when complete. Memory: a few dozen MiB.
ConvertReport convert_hub_to_gguf(const std::filesystem::path& directory, const std::filesystem::path& output,
                                  const ConvertOptions& options,
                                  const std::function<void(const ConvertProgress&)>& progress = {});

}  // namespace r1
