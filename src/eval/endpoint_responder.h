// Answers from OpenAI-compatible endpoints (POST chat/completions), several at once.
//
// Every sample is a request of its own, so that what has ended is kept whatever happens to the rest. A question goes to any endpoint that
// has room. What fails for reasons of the endpoint or the network is tried again, elsewhere if possible, with growing delays;
// an endpoint that fails time after time gets one request in a while until it answers again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/responder.h"

namespace r1::eval {

struct EndpointOptions {
  std::vector<std::string> addresses{};  // as endpoint_base() returns them
  std::string model{};
  std::string api_key{};                        // empty: none
  int64_t concurrency = 16;                     // requests at once, of each endpoint
  std::chrono::seconds silence{600};            // of an endpoint that was asked: longer counts as a failure
  std::chrono::seconds time{7200};              // until an answer must be complete
  int64_t attempts = 6;                         // of a question that fails where others do not
  int64_t outage_attempts = 10;                 // of an endpoint that fails whatever it is asked
  std::chrono::milliseconds retry_delay{1000};  // doubled with each failure in a row, a minute at most
  std::chrono::milliseconds step_time{50};      // that step() waits at most for an answer
};

/// "http://HOST:PORT", "http://HOST/v1" or ".../v1/chat/completions" → what comes before "/chat/completions". Throws
/// Error(invalid_argument) for anything else, and for a user or password in it.
std::string endpoint_base(const std::string& address);

/// The first model of GET models, of the first endpoint that answers. Throws Error(network) with what each of them said.
std::string first_model_of(const EndpointOptions& options);

class EndpointResponder : public Responder {
 public:
  explicit EndpointResponder(EndpointOptions options);
  /// Leaves what is outstanding; its callbacks are not called.
  ~EndpointResponder() override;

  void ask(const Question& question, const OnAnswer& on_answer) override;
  /// Throws Error(network) when no endpoint is left that could answer, and when endpoints refuse every question. An answer that could
  /// not be had ends with AnswerEnd::error; its text names the endpoint.
  bool step() override;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace r1::eval
