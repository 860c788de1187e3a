// A run that is killed in the middle of a save (kill -9), again and again, ends as one that never was.
#include "train/checkpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

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
    out.sequences.push_back({0, 8, 0, false, true});
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

void train(const fs::path& folder, bool resume) {
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
  add_new_model(config, options, store);
  const auto model = load_model(ModelFile::in_memory(config, store.views()));
  const SomeTokens source;
  Trainer trainer(context, dynamic_cast<const Decoder&>(*model), store, options, source, nullptr,
                  Keep::everything, {});
  if (resume) trainer.resume();
  trainer.run();
}

bool is_being_written(const fs::path& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "checkpoints", error)) {
    if (entry.path().extension() == ".partial") return true;
  }
  return false;
}

// Trains in a process of its own that is killed in the middle of the file number `save` that it begins to
// write. False: it ended before.
bool train_until_killed(const fs::path& folder, int save, std::chrono::microseconds within) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      train(folder, true);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  bool before = is_being_written(folder);  // left by the last kill
  while (true) {
    if (::waitpid(child, &status, WNOHANG) == child) break;
    const bool now = is_being_written(folder);
    if (now && !before && --save == 0) {
      std::this_thread::sleep_for(within);
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    before = now;
  }
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

TEST(Checkpoint, KilledInTheMiddleOfASaveARunGoesOnBitIdentically) {
  const test::TemporaryFolder folder;
  train(folder / "straight", false);
  const fs::path last = fs::path("checkpoints") / fmt::format("step-{:08}.safetensors", kSteps);
  const std::string expected = file_sha256(folder / "straight" / last);

  int killed = 0;
  for (const int microseconds : {0, 300, 2000, 8000, 20000}) {
    if (train_until_killed(folder / "killed", killed == 0 ? 4 : 2, std::chrono::microseconds(microseconds)))
      ++killed;
    std::string remarks;
    const auto found = find_checkpoint(folder / "killed", [&](const std::string& text) { remarks += text; });
    EXPECT_TRUE(found.has_value()) << killed << remarks;  // the first save was whole
  }
  EXPECT_GE(killed, 3);
  train(folder / "killed", true);
  EXPECT_EQ(file_sha256(folder / "killed" / last), expected);
}

}  // namespace
}  // namespace r1
