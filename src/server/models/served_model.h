// A loaded model with its engine on a thread of its own, and what the text side needs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "engine/engine.h"
#include "formats/model_file.h"
#include "grammar/grammar.h"
#include "grammar/token_trie.h"
#include "model/low_rank_adapter.h"
#include "model/model.h"
#include "model/vocabulary_loading.h"
#include "text/chat_template.h"
#include "text/stream_parser.h"

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

/// Const but for the engine; safe to use from many threads. The last owner joins the engine's thread.
class ServedModel {
 public:
  /// Loads from a file or hub directory. Throws Error.
  static std::shared_ptr<ServedModel> load(std::string name, const std::filesystem::path& path,
                                           const ModelSettings& settings,
                                           const std::vector<AdapterLocation>& adapters = {});
  /// From parts (tests use models of their own).
  ServedModel(std::string name, std::shared_ptr<const Model> model, r1::Vocabulary vocabulary,
              const ModelSettings& settings);
  ~ServedModel();

  const std::string& name() const { return name_; }
  int64_t created() const { return created_; }  // seconds since 1970
  const ModelInfo& info() const { return model_->info(); }
  const Model& model() const { return *model_; }
  const Tokenizer& tokenizer() const { return vocabulary_.tokenizer; }
  const r1::Vocabulary& vocabulary() const { return vocabulary_; }
  int64_t context_length() const { return engine_->options().context_length; }
  /// Null: there is none of that name.
  const Adapter* adapter(const std::string& name) const;
  int32_t lookup() const { return settings_.lookup; }

  /// Null: the model has none.
  const ChatTemplate* chat_template() const { return template_ ? &*template_ : nullptr; }
  /// The template that shows tools to the model; null: there is none.
  const ChatTemplate* tool_template() const;
  /// Whether this is a model of the R1 family, which thinks between tags.
  bool can_think() const { return can_think_; }
  int32_t open_think() const { return open_think_; }
  int32_t close_think() const { return close_think_; }
  /// What closes an open thinking block: "\n</think>\n\n" as tokens.
  const std::vector<int32_t>& closing() const { return closing_; }
  /// With the ids of this vocabulary.
  const StreamParserOptions& parser_options() const { return parser_options_; }
  /// For constraints; made when first asked for.
  std::shared_ptr<const grammar::TokenTrie> token_trie() const;

  using CompileGrammar = std::function<std::shared_ptr<const grammar::Grammar>()>;
  /// What `compile` makes, or what it made for the same key before (the last 32 are kept): schemas are few
  /// and come again with every request. Throws what `compile` throws.
  std::shared_ptr<const grammar::Grammar> grammar(const std::string& key,
                                                  const CompileGrammar& compile) const;

  /// Tokens of a text, special ones read where they are written, BOS in front where the vocabulary wants one.
  std::vector<int32_t> encode_prompt(const std::string& text) const;

  /// As those of Engine; the thread is woken.
  RequestId submit(Request request);
  void cancel(RequestId id);
  void answer_now(RequestId id);
  /// The mean of the tokens' last hidden states, scaled to length 1 (server/models/embedding.h). Computed
  /// between the engine's steps; waits. At least one token, at most context_length(). Error(unsupported): not
  /// with this model.
  std::vector<float> embed(const std::vector<int32_t>& tokens);
  EngineStatistics statistics() const { return engine_->statistics(); }
  int64_t active_requests() const;
  std::chrono::steady_clock::time_point last_use() const;

 private:
  void run(const std::stop_token& stop);
  bool run_errand();
  void fail_all(const std::string& message);

  std::string name_;
  int64_t created_;
  ModelSettings settings_;
  std::shared_ptr<const Model> model_;
  r1::Vocabulary vocabulary_;
  std::map<std::string, std::unique_ptr<LowRankAdapter>> adapters_;
  std::optional<ChatTemplate> template_, tool_template_;
  bool can_think_ = false;
  int32_t open_think_ = -1, close_think_ = -1;
  std::vector<int32_t> closing_;
  StreamParserOptions parser_options_;
  mutable std::once_flag trie_once_;
  mutable std::shared_ptr<const grammar::TokenTrie> trie_;

  mutable std::mutex grammars_mutex_;
  mutable std::list<std::pair<std::string, std::shared_ptr<const grammar::Grammar>>> grammars_;

  ThreadPool pool_;
  Context context_;
  std::unique_ptr<Engine> engine_;

  mutable std::mutex mutex_;  // guards the rest but the thread
  std::condition_variable_any wake_;
  std::deque<std::function<bool()>> errands_;  // each a piece of work; true: it was the last of them
  uint64_t events_ = 0;                        // submissions and cancellations, for the thread to notice
  std::unordered_set<RequestId> alive_;
  std::string failure_;  // the engine threw: what the requests that it takes down are told
  std::chrono::steady_clock::time_point last_use_;
  std::jthread thread_;  // last: stops before anything it uses goes
};

}  // namespace r1::server
