#include "cli/load_generator.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/json_text.h"
#include "base/random.h"
#include "base/seconds.h"

namespace r1::cli {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// Text that no cache has seen: words from a small list, in an order drawn for this request.
std::string make_prompt(const LoadOptions& options, int64_t index) {
  static constexpr const char* kWords[] = {"river",  "stone",  "amber",  "window", "seven", "proof",
                                           "garden", "copper", "night",  "number", "field", "angle",
                                           "train",  "paper",  "silver", "music"};
  const auto word = [&](uint64_t stream, int64_t place) {
    return std::string(
               kWords[random_bits(options.seed * 1'000'003 + stream, static_cast<uint64_t>(place)) % 16]) +
           " ";
  };
  std::string prompt;
  for (int64_t place = 0; place < options.prompt_words; ++place)
    prompt += place < options.shared_words ? word(0, place) : word(static_cast<uint64_t>(index) + 1, place);
  return prompt;
}

struct Transfer {
  RequestMeasurement* result = nullptr;
  Clock::time_point begin, last;
  std::string buffer;
  int64_t pieces = 0;
  int64_t hang_up_after = -1;  // pieces
  int64_t usage_output = -1;
};

bool on_event(Transfer& transfer, const std::string& data) {
  if (data == "[DONE]") {
    transfer.result->ok = true;
    return true;
  }
  const json event = parse_json_or_discard<json>(data);
  if (event.is_discarded()) return true;
  if (event.contains("error")) {
    transfer.result->error = event["error"].dump();
    return true;
  }
  if (event.contains("usage") && event["usage"].is_object()) {
    transfer.usage_output = event["usage"].value("completion_tokens", int64_t{-1});
    transfer.result->prompt_tokens = event["usage"].value("prompt_tokens", int64_t{0});
  }
  if (!event.contains("choices") || event["choices"].empty()) return true;
  const json& choice = event["choices"][0];
  if (!choice.contains("text") || !choice["text"].is_string() ||
      choice["text"].get_ref<const std::string&>().empty())
    return true;
  const Clock::time_point now = Clock::now();
  if (transfer.pieces++ == 0) {
    transfer.result->ttft = seconds(transfer.begin, now);
  } else {
    transfer.result->gaps.push_back(seconds(transfer.last, now));
  }
  transfer.last = now;
  return transfer.hang_up_after < 0 || transfer.pieces < transfer.hang_up_after;
}

size_t on_data(char* bytes, size_t, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.buffer.append(bytes, count);
  size_t end = 0;
  while ((end = transfer.buffer.find('\n')) != std::string::npos) {
    std::string line = transfer.buffer.substr(0, end);
    transfer.buffer.erase(0, end + 1);
    if (line.ends_with('\r')) line.pop_back();
    if (line.starts_with("data: ") && !on_event(transfer, line.substr(6))) return 0;
  }
  return count;
}

size_t collect(char* bytes, size_t, size_t count, void* user) {
  static_cast<std::string*>(user)->append(bytes, count);
  return count;
}

struct CurlClosing {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::unique_ptr<curl_slist, CurlClosing> headers_of(const LoadOptions& options) {
  curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
  list = curl_slist_append(list, "Expect:");
  if (!options.api_key.empty())
    list = curl_slist_append(list, ("Authorization: Bearer " + options.api_key).c_str());
  return std::unique_ptr<curl_slist, CurlClosing>(list);
}

void ask(CURL* handle, const LoadOptions& options, int64_t index, RequestMeasurement& result) {
  const std::string body = json{
      {"model", options.model},
      {"prompt", make_prompt(options, index)},
      {"max_tokens", options.output_tokens},
      {"stream", true},
      {"stream_options", {{"include_usage", true}}},
      {"ignore_eos", true},
      {"temperature", 0.6},
      {"top_p", 0.95},
      {"seed", index}}.dump();
  Transfer transfer;
  transfer.result = &result;
  const double draw = random_uniform(options.seed + 17, static_cast<uint64_t>(index));
  if (draw < options.disconnects)
    transfer.hang_up_after = 1 + static_cast<int64_t>(draw * 1000) % options.output_tokens;
  const auto headers = headers_of(options);
  curl_easy_setopt(handle, CURLOPT_URL, (options.url + "/v1/completions").c_str());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  transfer.begin = Clock::now();
  const CURLcode code = curl_easy_perform(handle);
  result.total = seconds(transfer.begin, Clock::now());
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  result.output_tokens = transfer.usage_output >= 0 ? transfer.usage_output : transfer.pieces;
  result.disconnected = transfer.hang_up_after >= 0 && code == CURLE_WRITE_ERROR;
  if (result.disconnected || !result.error.empty()) return;
  if (code != CURLE_OK) {
    result.ok = false;
    result.error = curl_easy_strerror(code);
  } else if (status != 200) {
    result.ok = false;
    result.error = fmt::format("status {}: {}", status, transfer.buffer.substr(0, 200));
  }
}

std::string first_model(const LoadOptions& options) {
  const std::unique_ptr<CURL, CurlClosing> handle(curl_easy_init());
  std::string body;
  const auto headers = headers_of(options);
  curl_easy_setopt(handle.get(), CURLOPT_URL, (options.url + "/v1/models").c_str());
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) throw_error(ErrorKind::network, "{}: {}", options.url, curl_easy_strerror(code));
  const json answer = parse_json_or_discard<json>(body);
  if (answer.is_discarded() || !answer.contains("data") || answer["data"].empty())
    throw_error(ErrorKind::network, "{}/v1/models: expected a list of models, found {}", options.url,
                body.substr(0, 100));
  return answer["data"][0].value("id", "");
}

json percentiles(std::vector<double> values) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[std::min(values.size() - 1,
                           static_cast<size_t>(std::ceil(share * static_cast<double>(values.size()))) - 1)];
  };
  double sum = 0;
  for (const double value : values) sum += value;
  return {{"mean", sum / static_cast<double>(values.size())},
          {"p50", at(0.5)},
          {"p95", at(0.95)},
          {"p99", at(0.99)}};
}

json report(const LoadOptions& options, const std::vector<RequestMeasurement>& all, double wall) {
  std::vector<double> ttft, tpot, gaps, total;
  int64_t ok = 0, disconnected = 0, good = 0, without_text = 0, prompt_tokens = 0, output_tokens = 0;
  std::string error;
  for (const RequestMeasurement& one : all) {
    disconnected += one.disconnected ? 1 : 0;
    if (!one.ok) {
      if (!one.disconnected && error.empty()) error = one.error.empty() ? "the stream broke off" : one.error;
      continue;
    }
    ++ok;
    prompt_tokens += one.prompt_tokens;
    output_tokens += one.output_tokens;
    total.push_back(one.total);
    if (one.ttft <= 0) {  // tokens without text, as of a model with random weights: no first piece to time
      ++without_text;
      continue;
    }
    ttft.push_back(one.ttft);
    gaps.insert(gaps.end(), one.gaps.begin(), one.gaps.end());
    const double each =
        one.output_tokens > 1 ? (one.total - one.ttft) / static_cast<double>(one.output_tokens - 1) : 0;
    if (one.output_tokens > 1) tpot.push_back(each);
    good += one.ttft <= options.ttft_goal && each <= options.tpot_goal ? 1 : 0;
  }
  json result = {{"url", options.url},
                 {"model", options.model},
                 {"requests", options.requests},
                 {"concurrency", options.concurrency},
                 {"rate", options.rate},
                 {"completed", ok},
                 {"disconnected", disconnected},
                 {"failed", options.requests - ok - disconnected},
                 {"without_text", without_text},
                 {"seconds", wall},
                 {"prompt_tokens", prompt_tokens},
                 {"output_tokens", output_tokens},
                 {"requests_per_second", static_cast<double>(ok) / wall},
                 {"output_tokens_per_second", static_cast<double>(output_tokens) / wall},
                 {"total_tokens_per_second", static_cast<double>(prompt_tokens + output_tokens) / wall},
                 {"goodput_requests_per_second", static_cast<double>(good) / wall},
                 {"ttft_seconds", percentiles(ttft)},
                 {"tpot_seconds", percentiles(tpot)},
                 {"itl_seconds", percentiles(gaps)},
                 {"e2e_seconds", percentiles(total)}};
  if (!error.empty()) result["first_error"] = error;
  return result;
}

}  // namespace

json run_load(const LoadOptions& given) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  LoadOptions options = given;
  while (options.url.ends_with('/')) options.url.pop_back();
  if (options.url.ends_with("/v1")) options.url.resize(options.url.size() - 3);
  if (options.model.empty()) options.model = first_model(options);
  std::vector<double> arrivals(static_cast<size_t>(options.requests), 0);
  for (size_t index = 1; options.rate > 0 && index < arrivals.size(); ++index)
    arrivals[index] =
        arrivals[index - 1] - std::log(1 - random_uniform(options.seed + 5, index)) / options.rate;

  std::vector<RequestMeasurement> all(static_cast<size_t>(options.requests));
  std::atomic<int64_t> next{0};
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < std::min(options.concurrency, options.requests); ++i) {
    threads.emplace_back([&] {
      const std::unique_ptr<CURL, CurlClosing> handle(curl_easy_init());
      for (int64_t index = 0; (index = next++) < options.requests;) {
        std::this_thread::sleep_until(
            begin + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(arrivals[static_cast<size_t>(index)])));
        ask(handle.get(), options, index, all[static_cast<size_t>(index)]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return report(options, all, seconds(begin, Clock::now()));
}

std::string describe_load(const json& report) {
  std::string out = fmt::format(
      "{} at {}: {} requests, {} at once{}\n{} completed, {} went away, {} failed, {:.1f} s\n"
      "{:.1f} tokens/s in all, {:.1f} generated, {:.2f} requests/s, goodput {:.2f} requests/s\n\n{:<6} {:>9} "
      "{:>9} {:>9} "
      "{:>9}   (ms)\n",
      report["model"].get<std::string>(), report["url"].get<std::string>(), report["requests"].get<int64_t>(),
      report["concurrency"].get<int64_t>(),
      report["rate"].get<double>() > 0 ? fmt::format(", {} a second", report["rate"].get<double>()) : "",
      report["completed"].get<int64_t>(), report["disconnected"].get<int64_t>(),
      report["failed"].get<int64_t>(), report["seconds"].get<double>(),
      report["total_tokens_per_second"].get<double>(), report["output_tokens_per_second"].get<double>(),
      report["requests_per_second"].get<double>(), report["goodput_requests_per_second"].get<double>(), "",
      "mean", "p50", "p95", "p99");
  for (const auto& [name, key] : {std::pair{"TTFT", "ttft_seconds"},
                                  {"TPOT", "tpot_seconds"},
                                  {"ITL", "itl_seconds"},
                                  {"E2E", "e2e_seconds"}}) {
    const json& values = report[key];
    if (values.is_null()) continue;
    out += fmt::format("{:<6}", name);
    for (const char* column : {"mean", "p50", "p95", "p99"})
      out += fmt::format(" {:>9.1f}", 1000 * values[column].get<double>());
    out += "\n";
  }
  if (report["without_text"].get<int64_t>() > 0)
    out += fmt::format("{} answers had no text: they are not in TTFT and TPOT\n",
                       report["without_text"].get<int64_t>());
  if (report.contains("first_error"))
    out += "first error: " + report["first_error"].get<std::string>() + "\n";
  return out;
}

}  // namespace r1::cli
