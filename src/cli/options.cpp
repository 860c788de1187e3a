#include "cli/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "base/error.h"

namespace r1::cli {

void add_runtime_options(Command command, RuntimeOptions& options) {
  command.add_option("-t,--threads", options.threads, "threads; 0: one for each core")
      ->check(in_range(0, 1024));
  const Check types = one_of_any_case({"f32", "f16", "q8_0", "q4_0"});
  command.add_option("--cache-type-k", options.cache_type_k, "type of cached keys (-ctk)")->check(types);
  command.add_option("--cache-type-v", options.cache_type_v, "type of cached values (-ctv)")->check(types);
  command.add_option("--kernels", options.instruction_set, "instruction set of the kernels")
      ->check(one_of({"best", "scalar", "avx2", "avx512"}));
  command
      .add_option_function<int>(
          "--n-gpu-layers,--gpu-layers",
          [&options](int layers) {
            options.gpu_layers = layers;
            if (layers != 0)
              std::fprintf(stderr, "r1: this build has no GPU support: all layers run on the CPU\n");
          },
          "layers on a GPU (-ngl); accepted, but this build has no GPU support")
      ->default_str("0");
  command.add_option("--override-kv", options.overrides,
                     "KEY=TYPE:VALUE: a key of the GGUF file (TYPE int, float, bool or str)");
}

DType cache_dtype(const std::string& name) {
  const std::optional<DType> dtype = dtype_from_name(name);
  if (dtype == DType::f32 || dtype == DType::f16 || dtype == DType::q8_0 || dtype == DType::q4_0)
    return *dtype;
  throw_error(ErrorKind::invalid_argument, "cache type: expected f32, f16, q8_0 or q4_0, found '{}'", name);
}

const kernels::KernelTable& select_kernels(const RuntimeOptions& options) {
  if (options.instruction_set == "best") return kernels::select_kernels();
  return kernels::select_kernels(kernels::instruction_set_from_name(options.instruction_set));
}

ModelLoadOptions load_options(size_t expert_cache_bytes, const std::vector<std::string>& overrides) {
  ModelLoadOptions options;
  options.overrides = overrides;
  options.expert_cache_bytes = expert_cache_bytes;
  options.remark = [](const std::string& text) { fmt::print(stderr, "r1: {}\n", text); };
  return options;
}

Check gibibytes() {
  static constexpr double kMax = 1 << 20;
  const auto check = [](const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    return is_number && value >= 0 && value <= kMax
               ? std::string()
               : fmt::format("expected GiB from 0 to {}, found {}", kMax, text);
  };
  return Check(check, "GiB");
}

void add_sampling_options(Command command, SamplingOptions& options) {
  command.add_option("--temp,--temperature", options.temperature,
                     "temperature; 0: always the likeliest token");
  command.add_option("--top-k", options.top_k, "keep the k likeliest tokens; 0: all");
  command.add_option("--top-p", options.top_p, "keep the likeliest tokens up to this probability; 1: all");
  command.add_option("--min-p", options.min_p, "drop tokens below this share of the likeliest; 0: none");
  command.add_option("--typical,--typical-p", options.typical_p, "locally typical sampling; 1: off");
  command.add_option("--repeat-penalty,--repetition-penalty", options.repetition_penalty, "1: off");
  command.add_option("--repeat-last-n", options.penalty_window,
                     "tokens that the repetition penalty looks at; -1: all");
  command.add_option("--presence-penalty", options.presence_penalty, "0: off");
  command.add_option("--frequency-penalty", options.frequency_penalty, "0: off");
  command.add_option("--dry-multiplier", options.dry_multiplier, "DRY repetition penalty; 0: off");
  command.add_option("--dry-base", options.dry_base, "DRY: base of the exponent");
  command.add_option("--dry-allowed-length", options.dry_allowed_length,
                     "DRY: longest repetition without penalty");
  command.add_option("--dry-penalty-last-n", options.dry_window, "DRY: tokens looked at; -1: all");
}

}  // namespace r1::cli
