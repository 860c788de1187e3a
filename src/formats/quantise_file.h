// `r1 quantize`: one GGUF file in, another with smaller types out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "formats/gguf.h"
#include "formats/quantise_policy.h"

namespace r1 {

struct QuantiseOptions {
  QuantisationTarget target = QuantisationTarget::q4_k_m;
  int threads = 0;                // 0: one for each core
  bool allow_requantise = false;  // take tensors that already lost precision (other than Q8_0) as a source
};

/// What happens to one tensor.
struct QuantisePlanEntry {
  std::string name;
  std::vector<int64_t> shape;  // outermost first
  DType from;
  TypeChoice to;
  uint64_t bytes_from;
  uint64_t bytes_to;
};

/// The choice for every tensor of `file`, in file order. Throws Error(unsupported) for a tensor that is
/// already quantised unless options.allow_requantise; Error(bad_file) for a file that lacks the metadata.
std::vector<QuantisePlanEntry> plan_quantisation(const GgufFile& file, const QuantiseOptions& options);

struct QuantiseProgress {
  const QuantisePlanEntry& entry;
  size_t tensor;  // number of the entry
  size_t tensors;
  uint64_t values_done;  // of the whole file
  uint64_t values;
};

/// Reads `input` (any shard of a sharded file: all are joined) and writes `output`, which appears under its
/// name only when complete. Metadata are copied, with general.file_type and general.quantization_version set.
/// Rows are encoded in parallel; memory: the mapped input and a few MiB. `progress` (may be empty) is called
/// on the calling thread after each batch; an exception from it ends the work and removes the unfinished
/// file. Throws Error: a tensor with a value that is not finite is named; an output that is one of the
/// input's files.
void quantise_gguf(const std::filesystem::path& input, const std::filesystem::path& output,
                   const QuantiseOptions& options,
                   const std::function<void(const QuantiseProgress&)>& progress);

}  // namespace r1
