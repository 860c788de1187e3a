// Models of a published shape with random weights, for benchmarks and for tests without downloads: speed does
// not depend on the values. Not for judging text or quantisation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace r1 {

/// The shapes that synth_config() knows, "R1-Distill-Qwen-1.5B" …
std::vector<std::string> synth_shape_names();

/// config.json of a shape, as published. Case-insensitive; Error(invalid_argument) for an unknown name.
nlohmann::json synth_config(std::string_view shape);

struct SynthOptions {
  std::string type = "Q4_K_M";  // F32, F16, BF16, a plain quantised type, or a mixture (Q4_K_M …)
  uint64_t seed = 0;
  int threads = 0;  // 0: one for each core
  /// Not 0: a model whose text repeats itself, each run of so many neighbouring ids in a ring, for measuring
  /// prompt look-up. Same shapes and types, so the same work.
  int64_t period = 0;
  /// Hub directory whose tokenizer the file gets; nothing: a small byte-level vocabulary, padded.
  std::optional<std::filesystem::path> tokenizer;
};

/// Writes the model; the file depends on shape, type, seed and tokenizer alone. Weights have mean 0 and
/// standard deviation 1/sqrt(columns), so that activations keep their size; norms are 1. Quantised blocks are
/// drawn directly. Throws Error.
void write_synthetic_gguf(std::string_view shape, const std::filesystem::path& output,
                          const SynthOptions& options);

}  // namespace r1
