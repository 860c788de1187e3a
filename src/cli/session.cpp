#include "cli/session.h"

#include <sys/random.h>

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

void add_generation_options(Command command, GenerationOptions& options, bool& seed_given) {
  command.add_option("-n,--predict,--n-predict,--max-tokens", options.max_tokens,
                     "tokens to generate, thinking included; -1: until the context is full");
  command
      .add_option_function<int64_t>(
          "-s,--seed",
          [&options, &seed_given](int64_t seed) {
            seed_given = seed >= 0;
            options.sampling.seed = static_cast<uint64_t>(seed);
          },
          "seed of the draws: same seed, same text; -1: a new one each time")
      ->check(in_range(int64_t{-1}, std::numeric_limits<int64_t>::max()))
      ->default_str("-1");
  command.add_option("--thinking-budget,--reasoning-budget", options.thinking_budget,
                     "close the thinking after so many tokens; -1: never");
  command
      .add_option("--stop,-r,--reverse-prompt", options.stop_strings,
                  "text that ends the answer (may be given again)")
      ->allow_extra_args(false);
  command.add_option("--lookup", options.lookup, "tokens drafted from earlier text a step (exact); 0: off")
      ->check(in_range(0, 64));
  command.add_flag("--loop-detection,!--no-loop-detection", options.loop_detection,
                   "end an answer that only repeats itself");
  command.add_flag("!--special,!--show-special", options.skip_special, "print special tokens");
  add_sampling_options(command, options.sampling);
}

uint64_t random_seed() {
  uint64_t seed = 0;
  if (getentropy(&seed, sizeof(seed)) != 0)
    throw_error(ErrorKind::io, "cannot read random bytes from the system");
  return seed;
}

Session::Session(const std::string& model, const RuntimeOptions& runtime, int64_t context_length,
                 size_t expert_cache_bytes, const std::string& adapter)
    : text_(TextModel::load(locate_model(model), load_options(expert_cache_bytes, runtime.overrides))),
      pool_(runtime.threads),
      context_(pool_, select_kernels(runtime), Arithmetic::fast) {
  EngineOptions options;
  options.context_length = context_length;
  options.key_dtype = cache_dtype(runtime.cache_type_k);
  options.value_dtype = cache_dtype(runtime.cache_type_v);
  options.sequences = 1;
  options.known_tokens = known_tokens(text_->vocabulary(), text_->info().vocabulary);
  if (!adapter.empty()) {
    text_->add_adapter(adapter, adapter);
    text_->take_template_of(adapter);
    options.adapter = text_->adapter(adapter);
  }
  engine_ = std::make_unique<Engine>(text_->shared_model(), context_, options);
}

Generation Session::generate(const std::vector<int32_t>& prompt, const GenerationOptions& options,
                             const std::function<void(TextKind, std::string_view)>& on_text,
                             const std::function<void()>& on_accepted) {
  std::optional<Generation> generation;
  const RequestId id =
      submit_text(*engine_, *text_, {.prompt = prompt, .options = options, .on_text = on_text},
                  [&](Generation result) { generation = std::move(result); });
  if (on_accepted) on_accepted();
  {
    const CancelOnInterrupt canceller(*engine_, id);
    while (!generation) engine_->step();
  }
  if (generation->end == AnswerEnd::error) {
    throw Error(ErrorKind::invalid_argument, generation->summary.error);
  }
  return std::move(*generation);
}

}  // namespace r1::cli
