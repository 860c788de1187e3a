// Options that several commands share, each declared once.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "engine/sampling.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "tensor/dtype.h"

namespace r1::cli {

struct RuntimeOptions {
  int threads = 0;  // 0: one a core
  std::string cache_type_k = "f16", cache_type_v = "f16";
  std::string instruction_set = "best";
  int gpu_layers = 0;
  std::vector<std::string> overrides;  // of a GGUF file's keys
};

/// -t, --cache-type-k/-v, --kernels, -ngl.
void add_runtime_options(Command command, RuntimeOptions& options);

/// "f32", "f16", "q8_0", "q4_0"; throws Error(invalid_argument) for others.
DType cache_dtype(const std::string& name);

const kernels::KernelTable& select_kernels(const RuntimeOptions& options);

/// Remarks on the file go to standard error.
ModelLoadOptions load_options(size_t expert_cache_bytes = 0, const std::vector<std::string>& overrides = {});

/// For an amount of memory in GiB: 0 to 2^20, which as bytes is still a size.
Check gibibytes();

/// --temp, --top-k, --top-p … under the names of llama.cpp and vLLM.
void add_sampling_options(Command command, SamplingOptions& options);

}  // namespace r1::cli
