// A loaded model with its engine on a thread of its own, and what the text side needs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "engine/engine.h"
#include "engine/text_model.h"
#include "grammar/grammar.h"

namespace r1::server {

struct ModelSettings {
  int threads = 0;                                // 0: one for each core
  const kernels::KernelTable* kernels = nullptr;  // must be given
  Arithmetic arithmetic = Arithmetic::fast;
  EngineOptions engine{};
  ModelLoadOptions load{};
  int32_t lookup = 5;  // tokens drafted by prompt look-up; 0: off
};

/// A LoRA adapter in PEFT's form, and the name that it is asked for by.
struct AdapterLocation {
  std::string name;
  std::filesystem::path path;
};

/// A text model with an engine on a thread of its own. Const but for the engine; safe to use from many
/// threads. The last owner joins the engine's thread.
class ServedModel : public TextModel {
 public:
  /// Loads from a file or hub directory. Throws Error.
  static std::shared_ptr<ServedModel> load(std::string name, const std::filesystem::path& path,
                                           const ModelSettings& settings,
                                           const std::vector<AdapterLocation>& adapters = {});
  ServedModel(std::string name, TextModel text, const ModelSettings& settings);
  ~ServedModel();

  const std::string& name() const { return name_; }
  int64_t created() const { return created_; }  // seconds since 1970
  int64_t context_length() const { return engine_->options().context_length; }
  int32_t lookup() const { return settings_.lookup; }

  using CompileGrammar = std::function<std::shared_ptr<const grammar::Grammar>()>;
  /// What `compile` makes, or what it made for the same key before (the last 32 are kept, of large ones fewer): schemas are few
  /// and come again with every request. Throws what `compile` throws.
  std::shared_ptr<const grammar::Grammar> grammar(const std::string& key,
                                                  const CompileGrammar& compile) const;

  /// As those of Engine; the thread is woken.
  RequestId submit(Request request);
  void cancel(RequestId id);
  void answer_now(RequestId id);
  /// The mean of the tokens' last hidden states, scaled to length 1 (server/models/embedding.h). Computed
  /// between the engine's steps; waits. `cancelled` is looked at before each piece: then the vector is empty.
  /// At least one token, at most context_length(). Error(unsupported): not with this model.
  std::vector<float> embed(const std::vector<int32_t>& tokens,
                           std::shared_ptr<const std::atomic<bool>> cancelled = nullptr);
  EngineStatistics statistics() const { return engine_->statistics(); }
  int64_t active_requests() const;
  std::chrono::steady_clock::time_point last_use() const;

 private:
  void run(const std::stop_token& stop);
  bool run_background_work();
  void fail_all(const std::string& message);

  std::string name_;
  int64_t created_;
  ModelSettings settings_;
  mutable std::mutex grammars_mutex_;
  mutable std::list<std::pair<std::string, std::shared_ptr<const grammar::Grammar>>> grammars_;

  ThreadPool pool_;
  Context context_;
  std::unique_ptr<Engine> engine_;

  mutable std::mutex mutex_;  // guards the rest but the thread
  std::condition_variable_any wake_;
  std::deque<std::function<bool()>> background_work_;  // each does a piece; true: it was the last of them
  uint64_t events_ = 0;  // submissions and cancellations, for the thread to notice
  std::unordered_set<RequestId> alive_;
  std::string failure_;  // the engine threw: what the requests that it takes down are told
  std::chrono::steady_clock::time_point last_use_;
  std::jthread thread_;  // last: stops before anything it uses goes
};

}  // namespace r1::server
