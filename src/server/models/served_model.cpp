#include "server/models/served_model.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <future>
#include <utility>

#include "base/error.h"
#include "server/models/embedding.h"

namespace r1::server {
namespace {

constexpr size_t kGrammars = 32;               // kept of a model
constexpr int64_t kGrammarStates = 1'000'000;  // of them together; the newest is always kept

const ModelSettings& checked(const ModelSettings& settings) {
  if (settings.kernels == nullptr) throw std::logic_error("a served model without kernels");
  return settings;
}

/// No more cache than all requests together can fill; only tokens that the vocabulary has are generated.
EngineOptions engine_options(EngineOptions options, const Model& model, const r1::Vocabulary& vocabulary) {
  options.known_tokens = known_tokens(vocabulary, model.info().vocabulary);
  if (options.kv_bytes == 0) return options;
  const int64_t context = options.context_length > 0 ? options.context_length : model.info().context_length;
  const int64_t blocks = KvCache::blocks_for(context) * options.sequences;
  const auto block = KvCache::block_bytes(model.kv_layers(), options.key_dtype, options.value_dtype);
  options.kv_bytes = std::min(options.kv_bytes, blocks * static_cast<int64_t>(block));
  return options;
}

}  // namespace

std::shared_ptr<ServedModel> ServedModel::load(std::string name, const std::filesystem::path& path,
                                               const ModelSettings& settings,
                                               const std::vector<AdapterLocation>& adapters) {
  TextModel text = TextModel::load(path, settings.load);
  for (const AdapterLocation& location : adapters) text.add_adapter(location.name, location.path);
  return std::make_shared<ServedModel>(std::move(name), std::move(text), settings);
}

ServedModel::ServedModel(std::string name, TextModel text, const ModelSettings& settings)
    : TextModel(std::move(text)),
      name_(std::move(name)),
      created_(std::time(nullptr)),
      settings_(checked(settings)),
      pool_(settings.threads),
      context_(pool_, *settings.kernels, settings.arithmetic),
      engine_(std::make_unique<Engine>(shared_model(), context_,
                                       engine_options(settings.engine, model(), vocabulary()))),
      last_use_(std::chrono::steady_clock::now()) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ServedModel::~ServedModel() {
  thread_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    ++events_;
  }
  wake_.notify_all();
}

std::shared_ptr<const grammar::Grammar> ServedModel::grammar(const std::string& key,
                                                             const CompileGrammar& compile) const {
  {
    const std::lock_guard lock(grammars_mutex_);
    for (auto place = grammars_.begin(); place != grammars_.end(); ++place) {
      if (place->first != key) continue;
      grammars_.splice(grammars_.begin(), grammars_, place);
      return place->second;
    }
  }
  std::shared_ptr<const grammar::Grammar> made = compile();
  const std::lock_guard lock(grammars_mutex_);
  grammars_.emplace_front(key, made);
  int64_t states = 0;
  size_t kept = 0;
  auto last = grammars_.begin();
  for (; last != grammars_.end() && kept < kGrammars; ++last, ++kept) {
    states += last->second->size();
    if (states > kGrammarStates && kept > 0) break;
  }
  grammars_.erase(last, grammars_.end());
  return made;
}

RequestId ServedModel::submit(Request request) {
  // The end may come before the id is known here: both wait for the lock.
  auto id = std::make_shared<RequestId>(0);
  request.on_finish = [this, id, next = std::move(request.on_finish)](const RequestSummary& summary) {
    std::string failure;
    {
      const std::lock_guard lock(mutex_);
      alive_.erase(*id);
      last_use_ = std::chrono::steady_clock::now();
      if (summary.reason == FinishReason::cancelled) failure = failure_;
    }
    if (!next) return;
    if (failure.empty()) return next(summary);
    RequestSummary failed = summary;
    failed.reason = FinishReason::error;
    failed.error = failure;
    next(failed);
  };
  {
    std::unordered_set<RequestId> one{0};  // its node is made before the request: behind it nothing may throw
    const std::lock_guard lock(mutex_);
    alive_.reserve(alive_.size() + 1);
    *id = engine_->submit(std::move(request));
    auto node = one.extract(0);
    node.value() = *id;
    alive_.insert(std::move(node));
    ++events_;
    last_use_ = std::chrono::steady_clock::now();
  }
  wake_.notify_all();
  return *id;
}

std::vector<float> ServedModel::embed(const std::vector<int32_t>& tokens,
                                      std::shared_ptr<const std::atomic<bool>> cancelled) {
  struct Work {
    std::unique_ptr<EmbeddingPass> pass;
    std::promise<std::vector<float>> done;
  };
  const auto work = std::make_shared<Work>();
  work->pass = std::make_unique<EmbeddingPass>(model(), context_, tokens, settings_.engine.key_dtype,
                                               settings_.engine.value_dtype);
  std::future<std::vector<float>> result = work->done.get_future();
  {
    const std::lock_guard lock(mutex_);
    background_work_.push_back([work, cancelled = std::move(cancelled)] {
      try {
        if (cancelled && *cancelled) {
          work->done.set_value({});
          return true;
        }
        if (!work->pass->step()) return false;
        work->done.set_value(work->pass->result());
      } catch (...) {
        work->done.set_exception(std::current_exception());
      }
      return true;
    });
    ++events_;
  }
  wake_.notify_all();
  std::vector<float> vector = result.get();
  const std::lock_guard lock(mutex_);
  last_use_ = std::chrono::steady_clock::now();
  return vector;
}

/// A piece of the first one's work; then it is the next one's turn. False: there is none.
bool ServedModel::run_background_work() {
  std::function<bool()> work;
  {
    const std::lock_guard lock(mutex_);
    if (background_work_.empty()) return false;
    work = std::move(background_work_.front());
    background_work_.pop_front();
  }
  if (work()) return true;
  const std::lock_guard lock(mutex_);
  background_work_.push_back(std::move(work));
  return true;
}

void ServedModel::cancel(RequestId id) {
  engine_->cancel(id);
  {
    const std::lock_guard lock(mutex_);
    ++events_;
  }
  wake_.notify_all();
}

void ServedModel::answer_now(RequestId id) {
  engine_->answer_now(id);
}

int64_t ServedModel::active_requests() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(alive_);
}

std::chrono::steady_clock::time_point ServedModel::last_use() const {
  const std::lock_guard lock(mutex_);
  return last_use_;
}

/// A forward pass failed: ends all requests with the reason.
void ServedModel::fail_all(const std::string& message) {
  std::vector<RequestId> ids;
  {
    const std::lock_guard lock(mutex_);
    failure_ = message;
    ids.assign(alive_.begin(), alive_.end());
  }
  for (const RequestId id : ids) engine_->cancel(id);
  try {
    engine_->step();  // takes the cancellations in; what arrived meanwhile may fail again, by itself
  } catch (const std::exception&) {
  }
  const std::lock_guard lock(mutex_);
  failure_.clear();
}

void ServedModel::run(const std::stop_token& stop) {
  uint64_t seen = 0;
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(mutex_);
      seen = events_;
    }
    bool worked = run_background_work();
    try {
      worked = engine_->step() || worked;
    } catch (const std::exception& error) {
      worked = true;
      try {
        fail_all(error.what());
      } catch (const std::exception&) {  // memory is short: the next step fails again, or does not
      }
    }
    if (worked) continue;
    std::unique_lock lock(mutex_);
    wake_.wait(lock, stop, [&] { return events_ != seen; });
  }
}

}  // namespace r1::server
