#include "cli/session.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/model_location.h"

namespace r1::cli {
namespace {

/// Cancels a request as soon as Ctrl-C was pressed, also in the middle of a long prefill.
class CancelOnInterrupt {
 public:
  CancelOnInterrupt(Engine& engine, RequestId request)
      : thread_([&engine, request](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            if (InterruptGuard::interrupted()) engine.cancel(request);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace

void add_generation_options(CLI::App& command, GenerationOptions& options) {
  command.add_option("-n,--predict,--n-predict,--max-tokens", options.max_tokens,
                     "tokens to generate, thinking included; -1: until the context is full");
  command
      .add_option_function<int64_t>(
          "-s,--seed",
          [&options](int64_t seed) {
            options.seed_given = seed >= 0;
            options.sampling.seed = static_cast<uint64_t>(seed);
          },
          "seed of the draws: same seed, same text; -1: a new one each time")
      ->check(CLI::Range(int64_t{-1}, std::numeric_limits<int64_t>::max()))
      ->default_str("-1");
  command.add_option("--thinking-budget,--reasoning-budget", options.thinking_budget,
                     "close the thinking after so many tokens; -1: never");
  command
      .add_option("--stop,-r,--reverse-prompt", options.stops,
                  "text that ends the answer (may be given again)")
      ->allow_extra_args(false);
  command.add_option("--lookup", options.lookup, "tokens drafted from earlier text a step (exact); 0: off")
      ->check(CLI::Range(0, 64));
  command.add_flag("--loop-detection,!--no-loop-detection", options.loop_detection,
                   "end an answer that only repeats itself");
  command.add_flag("--special,--show-special", options.show_special, "print special tokens");
  add_sampling_options(command, options.sampling);
}

Session::Session(const std::string& model, const RuntimeOptions& runtime, int64_t context_length,
                 size_t expert_cache_bytes, const std::string& adapter)
    : file_(ModelFile::open(locate_model(model))),
      model_(load_model(file_, load_options(expert_cache_bytes))),
      adapter_(adapter.empty() ? nullptr : LowRankAdapter::open(adapter, *file_)),
      vocabulary_(load_vocabulary(*file_)),
      pool_(runtime.threads),
      context_(pool_, select_kernels(runtime), Arithmetic::fast) {
  open_think_ = vocabulary_.tokenizer.find_special("<think>").value_or(-1);
  close_think_ = vocabulary_.tokenizer.find_special("</think>").value_or(-1);
  EngineOptions options;
  options.context_length = context_length;
  options.key_dtype = cache_dtype(runtime.cache_type_k);
  options.value_dtype = cache_dtype(runtime.cache_type_v);
  options.sequences = 1;
  options.known_tokens = known_tokens(vocabulary_, model_->info().vocabulary);
  if (adapter_) options.adapter = &adapter_->adapter();
  engine_ = std::make_unique<Engine>(model_, context_, options);
}

std::vector<int32_t> Session::encode(const std::string& prompt) const {
  std::vector<int32_t> tokens = vocabulary_.tokenizer.encode(prompt, true);
  if (vocabulary_.tokenizer.add_bos() && vocabulary_.bos &&
      (tokens.empty() || tokens.front() != *vocabulary_.bos)) {
    tokens.insert(tokens.begin(), *vocabulary_.bos);
  }
  return tokens;
}

Generation Session::generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                             const std::function<void(TextKind, std::string_view)>& on_text,
                             const std::function<void()>& on_accepted) {
  TextRequest text;
  text.stop_strings = options.stops;
  text.skip_special = !options.show_special;
  text.on_text = on_text;
  Request& request = text.request;
  request.prompt = prompt;
  request.sampling = options.sampling;
  request.max_tokens = options.max_tokens;
  request.stop_tokens = vocabulary_.end_of_generation;
  request.speculation = options.lookup;
  request.loop_detection = options.loop_detection;
  ThinkingOptions& thinking = request.thinking;
  thinking.open_token = open_think_;
  thinking.close_token = close_think_;
  for (const int32_t token : prompt) {
    if (can_think() && token == open_think_) thinking.starts_inside = true;
    if (can_think() && token == close_think_) thinking.starts_inside = false;
  }
  if (can_think()) {
    const std::vector<int32_t> blank = vocabulary_.tokenizer.encode("\n\n", false);
    thinking.budget = options.thinking_budget;
    thinking.closing = vocabulary_.tokenizer.encode("\n", false);
    thinking.closing.push_back(close_think_);
    thinking.closing.insert(thinking.closing.end(), blank.begin(), blank.end());
  } else if (options.thinking_budget >= 0) {
    throw_error(ErrorKind::invalid_argument, "--thinking-budget: this model's vocabulary has no </think>");
  }
  std::optional<Generation> generation;
  const RequestId id = submit_text(*engine_, vocabulary_.tokenizer, std::move(text),
                                   [&](Generation result) { generation = std::move(result); });
  if (on_accepted) on_accepted();
  {
    const CancelOnInterrupt canceller(*engine_, id);
    while (!generation) engine_->step();
  }
  if (generation->summary.reason == FinishReason::error) {
    throw Error(ErrorKind::invalid_argument, generation->summary.error);
  }
  return std::move(*generation);
}

}  // namespace r1::cli
