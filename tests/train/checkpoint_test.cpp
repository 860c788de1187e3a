// A run that is killed in the middle of a save (kill -9), again and again, ends as one that never was.
#include "train/checkpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <csignal>

#include "base/random.h"
#include "tests/temporary_folder.h"
#include "train/new_model.h"
#include "train/trainer.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kVocabulary = 3000;
constexpr int64_t kSteps = 12;

class SomeTokens final : public BatchSource {
 public:
  int64_t batches(int64_t) const override { return 4; }
  uint64_t fingerprint() const override { return 3; }
  TrainingBatch batch(int64_t epoch, int64_t index) const override {
    TrainingBatch out;
    out.sequences.push_back({0, 8, 0});
    for (uint64_t i = 0; i < 8; ++i) {
      const auto place = static_cast<uint64_t>(epoch * 100 + index * 10) + i;
      out.tokens.push_back(static_cast<int32_t>(random_bits(1, place) % kVocabulary));
      out.targets.push_back(static_cast<int32_t>(random_bits(2, place) % kVocabulary));
    }
    return out;
  }
};

TrainingOptions options_in(const fs::path& folder) {
  TrainingOptions options;
  options.layers = 1;
  options.hidden = 256;
  options.heads = 4;
  options.key_value_heads = 2;
  options.intermediate = 512;
  options.max_steps = kSteps;
  options.save_steps = 1;
  options.keep_checkpoints = 2;
  options.output = folder.string();
  return options;
}

void train(const fs::path& folder, bool resume, const TrainerHooks& hooks = {}) {
  const TrainingOptions options = options_in(folder);
  const nlohmann::json config = {{"model_type", "qwen2"},
                                 {"hidden_act", "silu"},
                                 {"hidden_size", options.hidden},
                                 {"intermediate_size", options.intermediate},
                                 {"num_hidden_layers", options.layers},
                                 {"num_attention_heads", options.heads},
                                 {"num_key_value_heads", options.key_value_heads},
                                 {"max_position_embeddings", 64},
                                 {"rms_norm_eps", 1e-6},
                                 {"rope_theta", 10000.0},
                                 {"tie_word_embeddings", true},
                                 {"vocab_size", kVocabulary}};
  ThreadPool pool(1);
  Context context(pool, kernels::select_kernels(), Arithmetic::exact);
  ParameterStore store;
  add_new_model(config, options, options.seed, store);
  const auto model = load_model(ModelFile::in_memory(config, store.views()));
  const SomeTokens source;
  Trainer trainer(context, dynamic_cast<const Decoder&>(*model), store, options, source, nullptr,
                  ActivationStorage::everything, hooks);
  if (resume) trainer.resume();
  trainer.run();
}

// Trains in a process of its own that the system kills while it writes the checkpoint of step `last`, as soon as the
// file is larger than `bytes`.
void train_until_killed(const fs::path& folder, int64_t last, uint64_t bytes) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    TrainerHooks hooks;
    hooks.on_step = [&](const StepReport& report) {
      const rlimit limit{bytes, bytes};
      if (report.step == last) ::setrlimit(RLIMIT_FSIZE, &limit);
    };
    try {
      train(folder, true, hooks);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGXFSZ);
}

TEST(Checkpoint, KilledInTheMiddleOfASaveARunGoesOnBitIdentically) {
  const test::TemporaryFolder folder;
  train(folder / "straight", false);
  const fs::path last = fs::path("checkpoints") / fmt::format("step-{:08}.safetensors", kSteps);
  const std::string expected = file_sha256(folder / "straight" / last);
  const uint64_t bytes = fs::file_size(folder / "straight" / last);
  for (const auto& [step, part] :
       {std::pair<int64_t, uint64_t>{3, 0}, {5, 1}, {6, bytes / 2}, {9, bytes - 1}}) {
    train_until_killed(folder / "killed", step, part);
    std::string remarks;
    const auto found = find_checkpoint(folder / "killed", [&](const std::string& text) { remarks += text; });
    ASSERT_TRUE(found.has_value()) << step << remarks;
    EXPECT_EQ(read_progress(*found).at("step"), step - 1) << remarks;  // the one before is whole
  }
  train(folder / "killed", true);
  EXPECT_EQ(file_sha256(folder / "killed" / last), expected);
}

}  // namespace
}  // namespace r1
