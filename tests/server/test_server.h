// What tests of the server share: a small model with R1's markers, and an application that is asked without
// sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "server/application.h"
#include "tests/engine/fake_model.h"
#include "tests/grammar/small_vocabulary.h"

namespace r1::server::test {

using Json = nlohmann::ordered_json;

inline const char* const kTemplate =
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}{{ '<｜User｜>' + "
    "message.content }}"
    "{% elif message.role == 'assistant' %}{{ '<｜Assistant｜>' + message.content.split('</think>')[-1] + "
    "eos_token }}"
    "{% else %}{{ message.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}";

/// Writes a text that is known beforehand instead of a random one: the tokens that follow the prompt,
/// whichever it is. Positions are counted from the last <｜Assistant｜>.
class ScriptedModel : public FakeModel {
 public:
  explicit ScriptedModel(const Tokenizer& tokenizer, int64_t context = 1024)
      : FakeModel(tokenizer.size(), context), tokenizer_(tokenizer) {}

  /// `text`: with markers in it; then the end of the sentence.
  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    script_ = tokenizer_.encode(text, true);
    script_.push_back(*tokenizer_.eos());
    endless_ = false;
  }
  /// Random text from now on that neither thinks nor ends by itself.
  void babble() {
    const std::lock_guard lock(mutex_);
    script_.clear();
    endless_ = true;
  }
  mutable std::function<void()> before_pass;
  /// Everything up to the token that was asked for last, as text with its markers.
  std::string last_sequence() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const int32_t token : last_sequence_) {
      const std::string_view bytes = tokenizer_.token_bytes(token);
      text += bytes.empty() ? tokenizer_.token_text(token) : bytes;
    }
    return text;
  }

  void forward(Context& context, const Batch& batch, KvCache& cache, float* logits,
               const std::function<bool()>& cancelled) const override {
    if (before_pass) before_pass();
    FakeModel::forward(context, batch, cache, logits, cancelled);
    const std::lock_guard lock(mutex_);
    if (endless_) {
      for (const auto marker :
           {tokenizer_.eos(), tokenizer_.find_special("<think>"), tokenizer_.find_special("</think>")}) {
        for (size_t row = 0; row < batch.output_rows.size(); ++row)
          logits[row * static_cast<size_t>(info().vocabulary) + static_cast<size_t>(*marker)] = -1000;
      }
    }
    if (script_.empty()) return;
    // The position in the script is how many of its tokens the sequence ends with already.
    size_t output = 0;
    int64_t row = 0;
    for (const SequenceSlice& slice : batch.slices) {
      for (int64_t i = 0; i < slice.rows; ++i, ++row) {
        if (output == batch.output_rows.size() || batch.output_rows[output] != row) continue;
        std::vector<int32_t> past;
        const KvCache::Plane keys = cache.keys(0);
        for (int64_t position = 0; position <= slice.first_position + i; ++position) {
          float value;
          std::memcpy(&value,
                      keys.data + slice.blocks[position / KvCache::kBlockTokens] * keys.block_stride +
                          position % KvCache::kBlockTokens * keys.token_bytes,
                      sizeof(value));
          past.push_back(static_cast<int32_t>(value));
        }
        last_sequence_ = past;
        size_t said = std::min(script_.size() - 1, past.size());
        while (said > 0 && !std::equal(script_.begin(), script_.begin() + static_cast<std::ptrdiff_t>(said),
                                       past.end() - static_cast<std::ptrdiff_t>(said)))
          --said;
        float* out = logits + static_cast<int64_t>(output) * info().vocabulary;
        for (int64_t id = 0; id < info().vocabulary; ++id) out[id] = 0;
        out[script_[said]] = 100;
        ++output;
      }
    }
  }

 private:
  Tokenizer tokenizer_;
  mutable std::mutex mutex_;
  std::vector<int32_t> script_;
  bool endless_ = false;
  mutable std::vector<int32_t> last_sequence_;
};

/// Keeps what a handler answers.
class RecordingSink : public ResponseSink {
 public:
  void respond(HttpResponse response) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(done_) << "answered twice";
    whole = std::move(response);
    done_ = true;
    changed_.notify_all();
  }
  void begin_stream(int status, std::vector<HttpHeader> headers, std::string) override {
    const std::lock_guard lock(mutex_);
    whole.status = status;
    whole.headers = std::move(headers);
    streamed = true;
  }
  bool send(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (refuse_more) return false;
    whole.body += bytes;
    changed_.notify_all();
    return true;
  }
  void end_stream() override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(done_) << "ended twice";
    done_ = true;
    changed_.notify_all();
  }
  void on_abort(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    abort_ = std::move(callback);
  }

  const HttpResponse& wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return done_; })) << "no answer";
    return whole;
  }
  void wait_for_text(const std::string& text) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return whole.body.find(text) != std::string::npos;
    })) << whole.body;
  }
  /// What has come up to now.
  std::string text() {
    const std::lock_guard lock(mutex_);
    return whole.body;
  }
  bool done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  /// Whether the handler wants to know when the client goes.
  bool is_watched() {
    const std::lock_guard lock(mutex_);
    return static_cast<bool>(abort_);
  }
  void hang_up() {
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      refuse_more = true;
      callback = std::exchange(abort_, nullptr);
    }
    if (callback) callback();
  }

  HttpResponse whole;
  bool streamed = false, refuse_more = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::function<void()> abort_;
};

struct Answer {
  int status = 0;
  Json json;
  std::string body;
  std::vector<HttpHeader> headers;
  std::string header(std::string_view name) const {
    for (const HttpHeader& one : headers) {
      if (equal_ignoring_case(one.name, name)) return one.value;
    }
    return "";
  }
};

/// The data of server-sent events; "[DONE]" is left out.
inline std::vector<Json> events(const std::string& body, bool* done = nullptr) {
  std::vector<Json> result;
  std::istringstream in(body);
  if (done != nullptr) *done = false;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("data: ")) continue;
    if (line == "data: [DONE]") {
      if (done != nullptr) *done = true;
      continue;
    }
    result.push_back(Json::parse(line.substr(6)));
  }
  return result;
}

class TestServer {
 public:
  explicit TestServer(ApplicationOptions options = {}, int64_t context = 1024) {
    settings.kernels = &table;
    settings.threads = 1;
    settings.arithmetic = Arithmetic::exact;
    settings.engine.key_dtype = settings.engine.value_dtype = DType::f32;
    settings.engine.kv_bytes =
        256 * static_cast<int64_t>(KvCache::block_bytes(FakeModel().kv_layers(), DType::f32, DType::f32));
    settings.engine.sequences = 16;
    tokenizer = r1::test::small_tokenizer();
    fake = std::make_shared<ScriptedModel>(*tokenizer, context);
    r1::Vocabulary vocabulary{*tokenizer, kTemplate, tokenizer->bos(), tokenizer->eos(), {*tokenizer->eos()}};
    models = std::make_unique<ModelHost>(ModelHost::Options{});
    models->add_loaded(
        std::make_shared<ServedModel>("small", TextModel(fake, std::move(vocabulary)), settings));
    options.version = "test";
    application = std::make_unique<Application>(*models, std::move(options));
  }
  ~TestServer() {
    application->cancel_all();
    application.reset();
  }

  std::shared_ptr<RecordingSink> send(const std::string& method, const std::string& path,
                                      const std::string& body, std::vector<HttpHeader> headers = {}) {
    auto request = std::make_shared<HttpRequest>();
    request->method = method;
    request->path = path;
    request->body = body;
    request->headers = std::move(headers);
    request->headers.push_back({"Host", "localhost:8080"});
    request->id = "req_test";
    auto sink = std::make_shared<RecordingSink>();
    application->handle(request, sink);
    return sink;
  }
  Answer ask(const std::string& method, const std::string& path, const std::string& body = "",
             std::vector<HttpHeader> headers = {}) {
    const auto sink = send(method, path, body, std::move(headers));
    const HttpResponse& response = sink->wait();
    Json json = Json::parse(response.body, nullptr, false);
    return {response.status, std::move(json), response.body, response.headers};
  }
  Answer post(const std::string& path, const Json& body) { return ask("POST", path, body.dump()); }
  Answer chat(Json body) {
    if (!body.contains("messages")) body["messages"] = {{{"role", "user"}, {"content", "hi"}}};
    return post("/v1/chat/completions", body);
  }
  /// A number of /metrics; -1: the line is not there.
  double metric(const std::string& line) {
    const std::string all = ask("GET", "/metrics").body;
    const size_t at = all.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(all.substr(at + line.size() + 2));
  }

  /// A figure follows the step that changes it a moment later: waits until it is as wanted.
  bool wait_for_metric(const std::string& line, const std::function<bool(double)>& wanted) {
    for (int tries = 0; tries < 1000; ++tries) {
      if (wanted(metric(line))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  const kernels::KernelTable& table = kernels::select_kernels();
  ModelSettings settings;
  std::optional<Tokenizer> tokenizer;
  std::shared_ptr<ScriptedModel> fake;
  std::unique_ptr<ModelHost> models;
  std::unique_ptr<Application> application;
};

}  // namespace r1::server::test
